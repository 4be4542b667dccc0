using System.Security.Cryptography;
using System.Text;

namespace Uniscale.Dashboard.Safety;

/// <summary>A folder below the served one that a run, or a sweep of runs, lies in.</summary>
/// <param name="Id">Names it in addresses: 16 hexadecimal digits of a digest of its place, so that no address holds a path.</param>
/// <param name="Name">Its place below the served folder, as people read it.</param>
/// <param name="FullPath">Where it lies.</param>
/// <param name="IsSweep">It holds the runs of a sweep.</param>
public sealed record FoundFolder(string Id, string Name, string FullPath, bool IsSweep);

/// <summary>
/// The one door to the disk. It finds the runs below a folder and opens their files, and nothing else: links are not followed while
/// looking, and a
/// file that was opened is held only if the kernel says that it lies below the folder, whatever its name or its links pretend.
/// </summary>
public sealed class RunsFolder
{
    private const int Deepest = 5,
        MostFolders = 20_000;

    /// <summary>A folder with one of these is a run's.</summary>
    private static readonly string[] RunFiles = ["metrics.jsonl", "config.yaml", "identity.json"];

    private static readonly EnumerationOptions Listing = new()
    {
        AttributesToSkip = FileAttributes.ReparsePoint,
        IgnoreInaccessible = true,
    };

    private readonly string _root;
    private long _opened;

    /// <param name="path">The folder that is served.</param>
    /// <exception cref="DirectoryNotFoundException">There is none.</exception>
    public RunsFolder(string path)
    {
        if (!Directory.Exists(path))
            throw new DirectoryNotFoundException($"there is no folder {path}");
        FullPath = Real(Path.GetFullPath(path));
        _root = FullPath.TrimEnd('/') + "/";
    }

    /// <summary>The folder, without links.</summary>
    public string FullPath { get; }

    /// <summary>Files opened until now: what a page costs a shared file system.</summary>
    internal long OpenedCount => Interlocked.Read(ref _opened);

    /// <summary>All runs and sweeps, by name. A folder that cannot be read, or goes away meanwhile, is left out.</summary>
    public IReadOnlyList<FoundFolder> Find()
    {
        var found = new List<FoundFolder>();
        int left = MostFolders;
        Look(FullPath, 0, found, ref left);
        found.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return found;
    }

    /// <summary>Opens a file of a run for reading.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="name">Name within it, perhaps of a folder further down.</param>
    /// <returns>Null: there is none, it cannot be read, it is empty, or it lies outside the served folder.</returns>
    public FileStream? Open(string folder, string name)
    {
        try
        {
            string path = Path.GetFullPath(Path.Combine(folder, name));
            // A pipe or a device has no length either, and opening one may wait for ever.
            if (!path.StartsWith(_root, StringComparison.Ordinal) || new FileInfo(path) is not { Exists: true, Length: > 0 })
                return null;
            Interlocked.Increment(ref _opened);
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            if (LiesWithin(stream))
                return stream;
            stream.Dispose();
        }
        catch (Exception error) when (IsOfFile(error))
        {
            // It went away, or is not ours to read.
        }
        return null;
    }

    /// <summary>Names of the folders within a run's folder that match, links left out.</summary>
    public IReadOnlyList<string> Folders(string folder, string pattern) =>
        List(folder, () => Directory.EnumerateDirectories(folder, pattern, Listing));

    /// <summary>Names of the files within a run's folder that match, links left out.</summary>
    public IReadOnlyList<string> Files(string folder, string pattern) =>
        List(folder, () => Directory.EnumerateFiles(folder, pattern, Listing));

    /// <summary>
    /// Text of a small file; null: as <see cref="Open"/>, or longer than <paramref name="longest"/> bytes. What is no UTF-8 is replaced.
    /// </summary>
    public string? Text(string folder, string name, int longest)
    {
        try
        {
            using var stream = Open(folder, name);
            if (stream is null || stream.Length > longest)
                return null;
            byte[] bytes = new byte[stream.Length];
            return Encoding.UTF8.GetString(bytes, 0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
        }
        catch (Exception error) when (IsOfFile(error))
        {
            return null;
        }
    }

    /// <summary>The beginning of a file as text; empty: as <see cref="Open"/>. What is no UTF-8 is replaced.</summary>
    public string Head(string folder, string name, int bytes)
    {
        try
        {
            using var stream = Open(folder, name);
            byte[] head = new byte[Math.Min(bytes, stream?.Length ?? 0)];
            return stream is null ? "" : Encoding.UTF8.GetString(head, 0, stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false));
        }
        catch (Exception error) when (IsOfFile(error))
        {
            return "";
        }
    }

    /// <summary>When a file of a run's folder was last written; long ago where there is none. Nothing of it is opened.</summary>
    public static DateTime LastWrite(string folder, string name)
    {
        try
        {
            // Of what is not there the time is that of the year 1601.
            return File.GetLastWriteTimeUtc(Path.Combine(folder, name));
        }
        catch (Exception error) when (IsOfFile(error))
        {
            return default;
        }
    }

    /// <summary>Leaves an empty file in a run's folder, as <c>touch</c> would; the run looks for it.</summary>
    /// <returns>False: the folder is not ours to write.</returns>
    public bool Leave(FoundFolder run, string name)
    {
        try
        {
            if (!(Real(run.FullPath) + "/").StartsWith(_root, StringComparison.Ordinal) && Real(run.FullPath) != FullPath)
                return false;
            string path = Path.Combine(run.FullPath, name);
            // A link of the name would lead elsewhere.
            if (Path.Exists(path) || new FileInfo(path).LinkTarget is not null)
                return File.Exists(path) && new FileInfo(path).LinkTarget is null;
            new FileStream(path, FileMode.CreateNew).Dispose();
            return true;
        }
        catch (Exception error) when (IsOfFile(error))
        {
            return false;
        }
    }

    /// <summary>The failures that a file system may answer with at any time.</summary>
    public static bool IsOfFile(Exception error) =>
        error
            is IOException
                or UnauthorizedAccessException
                or NotSupportedException
                or ArgumentException
                or System.Security.SecurityException;

    private IReadOnlyList<string> List(string folder, Func<IEnumerable<string>> list)
    {
        try
        {
            string path = Path.GetFullPath(folder);
            if (path + "/" != _root && !path.StartsWith(_root, StringComparison.Ordinal))
                return [];
            // A folder on the way may be a link outwards.
            if (path + "/" != _root && !(Real(path) + "/").StartsWith(_root, StringComparison.Ordinal))
                return [];
            return [.. list().Take(MostFolders).Select(entry => Path.GetFileName(entry)!).Order(StringComparer.Ordinal)];
        }
        catch (Exception error) when (IsOfFile(error))
        {
            return [];
        }
    }

    private void Look(string folder, int depth, List<FoundFolder> found, ref int left)
    {
        if (--left < 0)
            return;
        var names = new HashSet<string>(Files(folder, "*"), StringComparer.Ordinal);
        var folders = Folders(folder, "*");
        if (RunFiles.Any(names.Contains) || folders.Contains("launch"))
        {
            found.Add(Found(folder, isSweep: false));
            return;
        }
        if (names.Contains("plan.json") && folders.Any(name => name.StartsWith("run-", StringComparison.Ordinal)))
            found.Add(Found(folder, isSweep: true));
        if (depth == Deepest)
            return;
        foreach (string name in folders)
            if (!name.StartsWith('.'))
                Look(Path.Combine(folder, name), depth + 1, found, ref left);
    }

    private FoundFolder Found(string folder, bool isSweep)
    {
        string name = Path.GetRelativePath(FullPath, folder);
        string id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, 8));
        return new FoundFolder(id, name == "." ? Path.GetFileName(FullPath) : name, folder, isSweep);
    }

    /// <summary>Where the kernel says that an open file lies.</summary>
    private bool LiesWithin(FileStream stream) =>
        new FileInfo($"/proc/self/fd/{stream.SafeFileHandle.DangerousGetHandle()}").LinkTarget is { } target
        && target.StartsWith(_root, StringComparison.Ordinal);

    private static string Real(string path)
    {
        string real = "/";
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Combine(real, part);
            if (new DirectoryInfo(real).ResolveLinkTarget(returnFinalTarget: true) is { } target)
                real = Real(target.FullName);
        }
        return real;
    }
}
