# covers: main context git fetch-by-commit
# opt: dockerfilekey=dockerfile
# opt: context=https://github.com/example/repo.git?ref=v1&checksum=24eb9b2759ee81aa3aec33f90065acbb19edc4f4&fetch-by-commit=true
FROM scratch
COPY . /
