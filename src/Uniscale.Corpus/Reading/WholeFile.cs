using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus.Reading;

/// <summary>Forms in which a file is one document are read whole: it cannot be longer than a document may be.</summary>
internal static class WholeFile
{
    /// <exception cref="InvalidDataException">It is longer.</exception>
    public static byte[] Read(PeekStream stream, string form)
    {
        for (int size = RawInput.HeadBytes; ; size *= 2)
        {
            var held = stream.Peek(size);
            if (held.Length < size)
                return held.ToArray();
            if (size >= DocumentReader.MaxLineBytes)
                throw new InvalidDataException(
                    $"it has more than {DocumentReader.MaxLineBytes >> 20} MiB of {form}, which would be one document"
                );
        }
    }
}
