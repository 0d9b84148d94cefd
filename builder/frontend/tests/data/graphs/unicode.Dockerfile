# covers: unicode
FROM scratch
ARG Ä=ö
COPY ü/$Ä /日本/
COPY <<é /x
çà $Ä
é
