# covers: ONBUILD of image, ONBUILD COPY --from, ONBUILD heredoc
FROM localhost:5000/onbuild:1
COPY b .
