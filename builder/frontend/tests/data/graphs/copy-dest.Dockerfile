# covers: COPY destination
FROM scratch
WORKDIR /w/x/
COPY a .
COPY a ./
COPY a d/
COPY a ../e
COPY a /f/../g/
COPY a d/.
COPY ./a/../b ./c
COPY /abs/ d
