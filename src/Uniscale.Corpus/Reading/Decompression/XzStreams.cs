using SharpCompress.Compressors.Xz;

namespace Uniscale.Corpus.Reading.Decompression;

/// <summary>Reads all streams of an .xz file (xz-file-format.txt, section 2: streams follow one another, with padding of zeros between); the library reads the first alone.</summary>
internal sealed class XzStreams(PeekStream input) : ReadOnlyStream
{
    private const int Unit = 4;

    private XZStream? _stream = new(input);

    public static ReadOnlySpan<byte> Magic => [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    public override int Read(Span<byte> buffer)
    {
        while (_stream is not null)
        {
            int read = _stream.Read(buffer);
            if (read > 0 || buffer.IsEmpty)
                return read;
            _stream = HasMore() ? new XZStream(input) : null;
        }
        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            input.Dispose();
        base.Dispose(disposing);
    }

    private bool HasMore()
    {
        while (input.Peek(Unit).Span is { Length: > 0 } unit)
        {
            if (input.Peek(Magic.Length).Span.SequenceEqual(Magic))
                return true;
            if (unit.Length < Unit || unit.IndexOfAnyExcept((byte)0) >= 0)
                throw new InvalidDataException("behind a stream of xz stands what is none");
            input.Skip(Unit);
        }
        return false;
    }
}
