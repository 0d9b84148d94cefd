# covers: dockerignore
FROM scratch
COPY . /all
COPY a /b
