# covers: FROM digest
FROM localhost:5000/base:1@sha256:5033c213a702c0a55dbf541c12c85e24676fa761aaeb4e1fd128d43027c1cf62
COPY a b
