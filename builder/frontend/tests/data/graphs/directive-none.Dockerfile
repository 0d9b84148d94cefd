# not a directive
# covers: comment before directive
# escape=`
FROM scratch
COPY a\
 b /c
