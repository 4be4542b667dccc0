namespace Uniscale.Corpus;

/// <summary>A file of a place that is not this machine's disk.</summary>
/// <param name="Path">As it is named in sentences, e.g. <c>s3://bucket/web/0.wet.gz</c>.</param>
/// <param name="Name">Its name within what was given.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Version">Another for other bytes, e.g. an entity tag: by it a file is known without being read.</param>
public sealed record StoredRawFile(string Path, string Name, long Length, string Version);

/// <summary>A place of raw files that is not this machine's disk, such as an object store.</summary>
public interface IRawStore
{
    /// <summary>All files that were asked for.</summary>
    /// <exception cref="RawStoreException">The place cannot be reached.</exception>
    /// <exception cref="Configuration.UserErrorException">It holds none.</exception>
    IReadOnlyList<StoredRawFile> List();

    /// <summary>Writes a file's bytes to a new file of this machine.</summary>
    /// <param name="file">One of those listed.</param>
    /// <param name="path">The new file.</param>
    /// <exception cref="RawStoreException">The bytes did not come, or not all.</exception>
    void Get(StoredRawFile file, string path);

    /// <summary>A file's bytes as they come, of which a reader may take the first alone.</summary>
    /// <param name="file">One of those listed.</param>
    /// <exception cref="RawStoreException">There are none.</exception>
    Stream Open(StoredRawFile file);
}

/// <summary>
/// A place of raw files does not answer as it should. It says nothing about the files: an import ends, and goes on later.
/// </summary>
public sealed class RawStoreException : Exception
{
    /// <inheritdoc/>
    public RawStoreException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public RawStoreException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public RawStoreException() { }
}
