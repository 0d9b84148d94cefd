# covers: ADD --exclude
FROM scratch
ADD --exclude=*.md --exclude=b/** . /d/
