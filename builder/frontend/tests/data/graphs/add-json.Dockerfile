# covers: ADD JSON
FROM scratch
ADD ["a b", "c", "/d e/"]
