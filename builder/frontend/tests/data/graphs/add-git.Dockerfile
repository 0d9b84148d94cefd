# covers: ADD git URL, ADD git fragment
FROM scratch
ADD https://example.com/o/r.git /plain/
ADD https://example.com/o/r.git#v1 /ref/
ADD https://example.com/o/r.git#v1:sub/dir /sub/
