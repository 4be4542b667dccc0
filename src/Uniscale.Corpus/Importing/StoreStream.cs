using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus;

/// <summary>The bytes of a file of another place, as they come: what fails is the place and never the file.</summary>
/// <param name="inner">The bytes; owned.</param>
/// <param name="path">The file.</param>
internal sealed class StoreStream(Stream inner, string path) : ReadOnlyStream
{
    private long _position;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        try
        {
            int read = inner.Read(buffer);
            _position += read;
            return read;
        }
        catch (Exception failure) when (failure is IOException or HttpRequestException or OperationCanceledException)
        {
            throw new RawStoreException($"{path} broke off at byte {_position} ({failure.Message.TrimEnd('.')})", failure);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }
}
