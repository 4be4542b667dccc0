using System.Globalization;
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
        void Add(string path, string name) => Take(new RawFile(path, name, new FileInfo(path).Length));

        foreach (var store in stores)
            foreach (var held in store.List())
                Take(new RawFile(held.Path, held.Name, held.Length) { Store = store, Elsewhere = held });

        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = 0,
            IgnoreInaccessible = false,
        };
        foreach (string path in paths)
        {
            if (File.Exists(path))
            {
                Add(path, Path.GetFileName(path));
                continue;
            }
            if (!Directory.Exists(path))
                throw new UserErrorException($"{path} does not exist; give the files or directories to import.");
            foreach (string held in Directory.EnumerateFiles(path, "*", options))
            {
                if (File.ResolveLinkTarget(held, returnFinalTarget: false) is not null)
                    leave("symbolic link");
                else
                    Add(held, Path.GetRelativePath(path, held));
            }
        }
        return [.. files.OrderBy(file => file.Name, StringComparer.Ordinal).ThenBy(file => file.Path, StringComparer.Ordinal)];
    }

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
