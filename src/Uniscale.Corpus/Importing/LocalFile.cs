using Uniscale.Corpus.Reading;

namespace Uniscale.Corpus;

/// <summary>A raw file on this machine's disk: where it lies, or a copy that is there while it is read.</summary>
internal sealed class LocalFile : IDisposable
{
    private readonly string? _copy;

    private LocalFile(RawInput input, string? copy) => (Input, _copy) = (input, copy);

    /// <summary>Its bytes.</summary>
    public RawInput Input { get; }

    /// <summary>Opens a file; one of another place is fetched first.</summary>
    /// <param name="file">The file.</param>
    /// <param name="folder">Where copies go.</param>
    /// <exception cref="RawStoreException">It could not be fetched.</exception>
    public static LocalFile Open(RawFile file, string folder)
    {
        if (file.Elsewhere is not { } stored)
            return new LocalFile(RawInput.Open(file.Path), copy: null);
        Directory.CreateDirectory(folder);
        string copy = Path.Combine(folder, Path.GetRandomFileName());
        try
        {
            file.Store!.Get(stored, copy);
            return new LocalFile(RawInput.Open(copy, file.Path), copy);
        }
        catch
        {
            File.Delete(copy);
            throw;
        }
    }

    /// <summary>
    /// A file to be read from its beginning, wherever it lies, and no further than its reader goes. Forms that are read from their end copy
    /// one of another place whole.
    /// </summary>
    /// <exception cref="RawStoreException">It could not be read.</exception>
    public static RawInput Stream(RawFile file) =>
        file.Elsewhere is { } stored
            ? RawInput.Of(new StoreStream(file.Store!.Open(stored), file.Path), file.Path, file.Path)
            : RawInput.Open(file.Path);

    public void Dispose()
    {
        Input.Dispose();
        if (_copy is not null)
            File.Delete(_copy);
    }
}
