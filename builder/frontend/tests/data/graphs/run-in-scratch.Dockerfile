# covers: RUN in scratch
FROM scratch
RUN a
COPY b c
RUN d
