using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus.Reading.Archives;

/// <summary>The blocks of a tar on their way to its reader, which takes the end of a cut file for the end of the archive.</summary>
internal sealed class TarBlocks(PeekStream input) : ReadOnlyStream
{
    private const int BlockBytes = 512;

    private bool _endsWithZeros;

    public override int Read(Span<byte> buffer)
    {
        int read = input.ReadAtLeast(buffer, Math.Min(buffer.Length, BlockBytes), throwOnEndOfStream: false);
        if (read > 0)
            _endsWithZeros = read == BlockBytes && buffer[..read].IndexOfAnyExcept((byte)0) < 0;
        return read;
    }

    /// <summary>
    /// Behind the last entry stands a block of zeros at least. What follows is read, so that what is wrong with its compression shows.
    /// </summary>
    /// <exception cref="InvalidDataException">There is none: it was cut.</exception>
    public void CheckEnd()
    {
        if (!_endsWithZeros)
            throw new InvalidDataException("it is cut behind an entry");
        while (input.PeekHeld() is { Length: > 0 } held)
            input.Skip(held.Length);
    }
}
