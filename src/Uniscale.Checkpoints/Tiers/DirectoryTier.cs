using Uniscale.Checkpoints.Memory;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>Another directory, e.g. a shared file system behind a fast local disk.</summary>
public sealed class DirectoryTier(string directory) : ITier
{
    private const int BlockBytes = 8 << 20;
    private const string NewSuffix = ".new";

    private readonly string _root = Path.GetFullPath(directory);

    /// <inheritdoc/>
    public string Name => _root;

    /// <inheritdoc/>
    public IReadOnlyList<string> List() =>
        !Directory.Exists(_root)
            ? []
            : [.. Directory.EnumerateFiles(_root, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(_root, path))];

    /// <inheritdoc/>
    public long? SizeOf(string key) => new FileInfo(Path.Combine(_root, key)) is { Exists: true } file ? file.Length : null;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, long> Sizes(string folder) =>
        Guard(
            $"cannot list {folder}",
            () => new DirectoryInfo(Path.Combine(_root, folder)).EnumerateFiles().ToDictionary(file => file.Name, file => file.Length)
        );

    /// <inheritdoc/>
    public void Put(string key, string file) =>
        Guard(
            $"cannot write {key}",
            () =>
            {
                string target = Path.Combine(_root, key);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                try
                {
                    Copy(file, target + NewSuffix);
                }
                catch
                {
                    // The checkpoint may have been pruned meanwhile; nothing of it stays.
                    Remove(target + NewSuffix);
                    throw;
                }
                File.Move(target + NewSuffix, target, overwrite: true);
                Posix.SyncDirectory(Path.GetDirectoryName(target)!);
                Posix.SyncDirectory(_root);
                return 0;
            }
        );

    /// <inheritdoc/>
    public void Get(string key, string file) =>
        Guard(
            $"cannot read {key}",
            () =>
            {
                Copy(Path.Combine(_root, key), file);
                return 0;
            }
        );

    /// <inheritdoc/>
    public byte[]? Read(string key) =>
        Guard(
            $"cannot read {key}",
            () =>
            {
                string path = Path.Combine(_root, key);
                return File.Exists(path) ? File.ReadAllBytes(path) : null;
            }
        );

    /// <inheritdoc/>
    public void Delete(string key) =>
        Guard(
            $"cannot delete {key}",
            () =>
            {
                Remove(Path.Combine(_root, key));
                return 0;
            }
        );

    /// <inheritdoc/>
    public void Dispose() { }

    /// <summary>Deletes a file, where there is one, and the folders that are empty without it.</summary>
    private void Remove(string path)
    {
        if (File.Exists(path))
            File.Delete(path);
        for (
            string folder = Path.GetDirectoryName(path)!;
            folder != _root && Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any();
            folder = Path.GetDirectoryName(folder)!
        )
            Directory.Delete(folder);
    }

    private T Guard<T>(string what, Func<T> body)
    {
        try
        {
            return body();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{Name}: {what} ({failure.Message})", failure);
        }
    }

    private static void Copy(string source, string target)
    {
        using var input = File.OpenHandle(source);
        using var output = File.OpenHandle(target, FileMode.Create, FileAccess.Write);
        byte[] block = new byte[BlockBytes];
        long offset = 0;
        for (int count; (count = RandomAccess.Read(input, block, offset)) > 0; offset += count)
            RandomAccess.Write(output, block.AsSpan(0, count), offset);
        RandomAccess.FlushToDisk(output);
    }
}
