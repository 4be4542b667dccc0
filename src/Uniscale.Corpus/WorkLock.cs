using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>
/// Keeps what one process writes from another that would write the same: they would rename and delete under each other's hands, and the
/// one that ends well might leave nothing. The kernel gives the lock up with its process, however that ends.
/// </summary>
public sealed class WorkLock : IDisposable
{
    /// <summary>What the system answers where another process has the file (EWOULDBLOCK).</summary>
    private const int WouldBlock = 11;

    private readonly FileStream _file;

    /// <param name="file">The lock's file; its folder is made where it is not there.</param>
    /// <param name="what">What is kept, as the subject of a sentence.</param>
    /// <param name="otherwise">What to do besides waiting.</param>
    /// <param name="options">Whether the file goes with the lock.</param>
    /// <exception cref="UserErrorException">Another process has it.</exception>
    internal WorkLock(string file, string what, string otherwise, FileOptions options = FileOptions.None)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
        try
        {
            _file = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1, options);
        }
        catch (IOException error) when (error.HResult == WouldBlock)
        {
            throw new UserErrorException($"{what} is under way in another process: wait for its end, or {otherwise}.", error);
        }
    }

    /// <summary>Takes what a command is about to write, by a hidden file beside it that goes with the lock.</summary>
    /// <param name="path">The file, or the beginning of the files' names.</param>
    /// <exception cref="UserErrorException">Another process writes it.</exception>
    public static WorkLock Of(string path) =>
        new(
            Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, $".{Path.GetFileName(path)}.lock"),
            $"The making of {path}",
            "name another --out",
            FileOptions.DeleteOnClose
        );

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
