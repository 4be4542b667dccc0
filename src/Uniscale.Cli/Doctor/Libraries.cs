using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Uniscale.Cli.Doctor;

/// <summary>Shared libraries of the system, found as the dynamic linker finds them.</summary>
internal sealed partial class Libraries
{
    private readonly Dictionary<string, string> _cached = new(StringComparer.Ordinal);
    private readonly IReadOnlyList<string> _folders;

    /// <summary>Libraries of a linker cache as <c>ldconfig -p</c> prints it, after those in <paramref name="folders"/>.</summary>
    public Libraries(string cache, IReadOnlyList<string> folders)
    {
        this._folders = folders;
        // Each line: name (flags) => path; the first of a name wins.
        foreach (string line in cache.Split('\n'))
            if (line.Split(" => ") is [var left, var path])
                _cached.TryAdd(left.Trim().Split(' ')[0], path.Trim());
    }

    /// <summary>Those of this machine.</summary>
    public static Libraries OfSystem() =>
        new(
            RunAndRead("/sbin/ldconfig", "-p"),
            (Environment.GetEnvironmentVariable("LD_LIBRARY_PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        );

    /// <summary>Path of the first library whose name begins with one of <paramref name="names"/>, links resolved; null: none.</summary>
    public string? Find(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (_folders.Select(folder => Newest(FilesOf(folder), name)).FirstOrDefault(found => found is not null) is { } file)
                return Resolve(file);
            if (Newest(_cached.Keys, name) is { } match)
                return Resolve(_cached[match]);
        }
        return null;
    }

    // Of some file names or paths, the last that is a name or the name with a version behind it; a debugger's script may lie beside.
    private static string? Newest(IEnumerable<string> files, string name) =>
        files
            .Where(file =>
                Path.GetFileName(file) is var known
                && (known == name || known.StartsWith(name + ".", StringComparison.Ordinal))
                && !known.EndsWith(".py", StringComparison.Ordinal)
            )
            .Order(StringComparer.Ordinal)
            .LastOrDefault();

    private static string[] FilesOf(string folder) => Directory.Exists(folder) ? Directory.GetFiles(folder) : [];

    /// <summary>
    /// The version of a library: out of its pkg-config file where it has one (SentencePiece's file name says 0.0.0), else out of its
    /// file name (<c>libmpi.so.40.30.4</c>: 40.30.4, <c>libopenblasp-r0.3.21.so</c>: 0.3.21); null: unknown.
    /// </summary>
    public static string? Version(string path)
    {
        string name = Path.GetFileName(path);
        string package = Path.Combine(Path.GetDirectoryName(path)!, "pkgconfig", name["lib".Length..].Split('.')[0] + ".pc");
        string? declared = File.Exists(package)
            ? File.ReadLines(package)
                .FirstOrDefault(line => line.StartsWith("Version:", StringComparison.Ordinal))
                ?["Version:".Length..].Trim()
            : null;
        return declared ?? (VersionPattern().Match(name) is { Success: true } match ? match.Groups[1].Value : null);
    }

    /// <summary>Versions of symbols that a library has, e.g. those named GLIBCXX_ and a number.</summary>
    public static IEnumerable<Version> Versions(string path, string prefix)
    {
        string content = System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(path));
        foreach (Match match in Regex.Matches(content, $@"{Regex.Escape(prefix)}(\d+(?:\.\d+)+)\0"))
            yield return new Version(match.Groups[1].Value);
    }

    /// <summary>The version of the NuGet package that a linked file lies in; null: it is not in a package's folder.</summary>
    public static string? PackageVersion(string path)
    {
        string[] parts = Resolve(path).Split('/');
        int runtimes = Array.LastIndexOf(parts, "runtimes");
        return runtimes > 0 ? parts[runtimes - 1] : null;
    }

    /// <summary>
    /// The release of a libtorch: that of its package, what a PyTorch writes beside its lib folder (<c>version.py</c>) or a libtorch
    /// archive
    /// (<c>build-version</c>), or Debian's file name; null: unknown.
    /// </summary>
    public static string? LibtorchVersion(string library)
    {
        if (PackageVersion(library) is { } package)
            return package;
        string above = Path.GetDirectoryName(Path.GetDirectoryName(Path.GetFullPath(library))) ?? "/";
        foreach (string name in (string[])["version.py", "build-version"])
        {
            string file = Path.Combine(above, name);
            if (File.Exists(file) && Regex.Match(File.ReadAllText(file), @"\d+\.\d+(?:\.\d+)?") is { Success: true } written)
                return written.Value;
        }
        return VersionPattern().Match(Path.GetFileName(Resolve(library))) is { Success: true } match ? match.Groups[1].Value : null;
    }

    /// <summary>What a program prints; empty where it cannot be run.</summary>
    public static string RunAndRead(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(
                new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
            )!;
            var text = process.StandardOutput.ReadToEndAsync();
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return text.Result;
        }
        catch (Exception error) when (error is System.ComponentModel.Win32Exception or IOException)
        {
            return "";
        }
    }

    [GeneratedRegex(@"(?:\.so\.|-r)(\d+(?:\.\d+)*)")]
    private static partial Regex VersionPattern();

    private static string Resolve(string path) =>
        File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path : path;
}
