# escape=`
# covers: directive escape
FROM scratch
COPY a `
  b `
  c:`\d`$x/
ENV A=`"x
COPY $A /e
