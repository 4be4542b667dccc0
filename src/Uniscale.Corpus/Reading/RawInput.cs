using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus.Reading;

/// <summary>The bytes of a raw file, or of what is in an archive: decompressed, to be read once from the beginning.</summary>
internal sealed class RawInput : IDisposable
{
    /// <summary>Bytes by which forms are recognised.</summary>
    public const int HeadBytes = 64 << 10;

    private RawInput(string path, string name, PeekStream stream, string? file, IReadOnlyList<string> compressions) =>
        (Path, Name, Stream, File, Compressions) = (path, name, stream, file, compressions);

    /// <summary>As it is named in sentences.</summary>
    public string Path { get; }

    /// <summary>Its name, without the extensions of its compression.</summary>
    public string Name { get; }

    public PeekStream Stream { get; }

    /// <summary>The file with these bytes, for forms that are read from their end; null where there is none.</summary>
    public string? File { get; }

    /// <summary>What was taken off, the outermost first.</summary>
    public IReadOnlyList<string> Compressions { get; }

    public string Extension => System.IO.Path.GetExtension(Name).ToLowerInvariant();

    /// <summary>The first bytes, as many as there are up to <see cref="HeadBytes"/>.</summary>
    public ReadOnlySpan<byte> Head => Stream.Peek(HeadBytes).Span;

    /// <summary>Opens a file.</summary>
    /// <exception cref="InvalidDataException">Its name says that it is compressed, and it is not.</exception>
    public static RawInput Open(string path) => Open(path, path);

    /// <summary>Opens a file that has another name for people and for its form.</summary>
    /// <exception cref="InvalidDataException">Its name says that it is compressed, and it is not.</exception>
    public static RawInput Open(string path, string name) =>
        Of(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan), name, name, path);

    /// <summary>What is in an archive, or in memory.</summary>
    /// <param name="stream">The bytes; owned from now on.</param>
    /// <param name="path">As it is named in sentences.</param>
    /// <param name="name">Its own name.</param>
    /// <param name="file">The file that holds just these bytes.</param>
    public static RawInput Of(Stream stream, string path, string name, string? file = null)
    {
        var compressions = new List<string>();
        try
        {
            var plain = Decompressor.Decompress(new PeekStream(stream), ref name, compressions, allowsText: true);
            return new RawInput(path, name, plain, compressions.Count == 0 ? file : null, compressions);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    public void Dispose() => Stream.Dispose();
}
