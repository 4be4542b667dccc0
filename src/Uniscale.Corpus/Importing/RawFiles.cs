using System.Globalization;
using System.IO.Enumeration;
using System.IO.Hashing;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Corpus.Reading;

namespace Uniscale.Corpus;

/// <summary>A file that is to be imported.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Name">Its name within what was given.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Fingerprint">Digest of its bytes, or of what stands for them elsewhere.</param>
internal sealed record RawFile(string Path, string Name, long Length, UInt128 Fingerprint = default)
{
    /// <summary>The place that has it; null: this machine's disk.</summary>
    public IRawStore? Store { get; init; }

    /// <summary>What that place knows of it.</summary>
    public StoredRawFile? Elsewhere { get; init; }
}

/// <summary>Finds the files that a user means, in an order that does not depend on the one in which he names them.</summary>
internal static class RawFiles
{
    /// <summary>What the system answers where a socket is opened (ENXIO).</summary>
    private const int NoSuchDevice = 6;

    /// <summary>Files, the contents of folders, and those of other places, by name.</summary>
    /// <exception cref="UserErrorException">A path does not exist.</exception>
    /// <exception cref="RawStoreException">Another place does not answer.</exception>
    public static List<RawFile> Find(IEnumerable<string> paths, IEnumerable<IRawStore> stores, Action<string> leave)
    {
        var files = new List<RawFile>();
        void Take(RawFile file)
        {
            if (FormReaders.IsNoText(file.Name))
                leave(FormReaders.NoTextByName);
            else
                files.Add(file);
        }
        void Add(string path, string name)
        {
            long length = new FileInfo(path).Length;
            if (length == 0 && IsPipe(path))
                leave("pipe or socket");
            else
                Take(new RawFile(path, name, length));
        }

        foreach (var store in stores)
            foreach (var held in store.List())
                Take(new RawFile(held.Path, held.Name, held.Length) { Store = store, Elsewhere = held });

        foreach (string path in paths)
        {
            if (File.Exists(path))
            {
                Add(path, Path.GetFileName(path));
                continue;
            }
            if (!Directory.Exists(path))
                throw new UserErrorException($"{path} does not exist; give the files or directories to import.");
            foreach (var (held, isLink) in Within(path))
            {
                if (isLink)
                    leave("symbolic link");
                else if (IsUnnameable(held))
                    leave("name that is not UTF-8");
                else
                    Add(held, Path.GetRelativePath(path, held));
            }
        }
        return [.. files.OrderBy(file => file.Name, StringComparer.Ordinal).ThenBy(file => file.Path, StringComparer.Ordinal)];
    }

    /// <summary>
    /// Files of a folder and of those in it, and links, which are not followed: a link to a folder above it would be followed as often as
    /// the system lets it, and two of them without end.
    /// </summary>
    private static FileSystemEnumerable<(string Path, bool IsLink)> Within(string folder) =>
        new(
            folder,
            static (ref FileSystemEntry entry) => (entry.ToSpecifiedFullPath(), IsLink(ref entry)),
            new EnumerationOptions
            {
                RecurseSubdirectories = true,
                AttributesToSkip = 0,
                IgnoreInaccessible = false,
            }
        )
        {
            ShouldIncludePredicate = static (ref FileSystemEntry entry) =>
                !entry.IsDirectory || IsLink(ref entry) || IsUnnameable(entry.ToSpecifiedFullPath()),
            ShouldRecursePredicate = static (ref FileSystemEntry entry) => !IsLink(ref entry),
        };

    /// <summary>
    /// Whether a file without a length is none: to read from a pipe is to wait, perhaps for ever, for whoever writes. Opened for both, a
    /// pipe does not wait.
    /// </summary>
    private static bool IsPipe(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
            return !file.CanSeek;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return error.HResult == NoSuchDevice;
        }
    }

    /// <summary>
    /// Whether .NET cannot open what it has just listed: a name in another encoding is shown with U+FFFD in it, under which there is
    /// nothing.
    /// </summary>
    private static bool IsUnnameable(string path) => path.Contains('\uFFFD', StringComparison.Ordinal) && !Path.Exists(path);

    private static bool IsLink(ref FileSystemEntry entry) => entry.Attributes.HasFlag(FileAttributes.ReparsePoint);

    /// <summary>The files with the digests of all their bytes; of files with the same bytes the first.</summary>
    public static List<RawFile> Fingerprint(List<RawFile> files, int workers, Action<string> leave, CancellationToken cancellation)
    {
        var marked = new RawFile[files.Count];
        Parallel.For(
            0,
            files.Count,
            new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation },
            i => marked[i] = files[i] with { Fingerprint = DigestOf(files[i], cancellation) }
        );
        var seen = new HashSet<UInt128>();
        var kept = new List<RawFile>();
        foreach (var file in marked)
        {
            if (file.Length == 0 || seen.Add(file.Fingerprint))
                kept.Add(file);
            else
                leave("the same bytes as another file");
        }
        return kept;
    }

    private static UInt128 DigestOf(RawFile raw, CancellationToken cancellation)
    {
        var digest = new XxHash128();
        if (raw.Elsewhere is { } stored)
        {
            digest.Append(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{stored.Version} {stored.Length}")));
            return digest.GetCurrentHashAsUInt128();
        }
        using var file = File.OpenHandle(raw.Path, options: FileOptions.SequentialScan);
        byte[] block = System.Buffers.ArrayPool<byte>.Shared.Rent(1 << 18);
        long offset = 0;
        for (int read; (read = RandomAccess.Read(file, block, offset)) > 0; offset += read)
        {
            cancellation.ThrowIfCancellationRequested();
            digest.Append(block.AsSpan(0, read));
        }
        System.Buffers.ArrayPool<byte>.Shared.Return(block);
        return digest.GetCurrentHashAsUInt128();
    }
}
