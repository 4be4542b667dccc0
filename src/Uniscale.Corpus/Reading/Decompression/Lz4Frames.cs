using K4os.Compression.LZ4.Streams;

namespace Uniscale.Corpus.Reading.Decompression;

/// <summary>Reads all frames of an .lz4 file; the library takes the end of an empty one for the end of the file.</summary>
internal sealed class Lz4Frames(PeekStream input) : ReadOnlyStream
{
    private Stream _frame = LZ4Stream.Decode(input, leaveOpen: true);

    public static ReadOnlySpan<byte> Magic => [0x04, 0x22, 0x4D, 0x18];

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            int read = _frame.Read(buffer);
            if (read > 0 || buffer.IsEmpty || input.Peek(1).IsEmpty)
                return read;
            if (!input.Peek(4).Span.SequenceEqual(Magic))
                throw new InvalidDataException("lz4: behind a frame stands what is none");
            _frame.Dispose();
            _frame = LZ4Stream.Decode(input, leaveOpen: true);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _frame.Dispose();
            input.Dispose();
        }
        base.Dispose(disposing);
    }
}
