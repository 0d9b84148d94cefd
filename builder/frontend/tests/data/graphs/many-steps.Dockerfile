# covers: step names
FROM scratch AS one
COPY f0 /
COPY f1 /
COPY f2 /
COPY f3 /
COPY f4 /
COPY f5 /
COPY f6 /
COPY f7 /
COPY f8 /
COPY f9 /
COPY f10 /
COPY f11 /
FROM one
COPY --from=one /f1 /g
