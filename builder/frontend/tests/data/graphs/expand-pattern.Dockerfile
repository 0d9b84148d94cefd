# covers: expand #, expand ##, expand %, expand %%, expand /, expand //
FROM scratch
ARG V=a.b.c.tar.gz P=/x/y/z
COPY a /1/${V#*.}/${V##*.}/${V%.*}/${V%%.*}
COPY a /2/${V/./-}/${V//./-}/${P//\//_}/${V/b*z/q}/${V#?}
COPY a /3/${V%.tar.?z}/${V#zz}/${V//?/x}
