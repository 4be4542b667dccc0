namespace Uniscale.Architecture.Tests;

/// <summary>The checkout that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>Its top folder.</summary>
    public static string Root { get; } = Find();

    /// <summary>The path of a file or folder of the checkout.</summary>
    public static string PathOf(string relative) => Path.Combine(Root, relative);

    /// <summary>Folders directly below a folder of the checkout that hold something under version control, in order.</summary>
    public static IReadOnlyList<string> FoldersOf(string relative) =>
        [.. Directory.GetDirectories(PathOf(relative)).Where(HasSources).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    // What a build leaves of a project that another branch has is no project.
    private static bool HasSources(string folder) =>
        Directory.EnumerateFiles(folder).Any() || Directory.GetDirectories(folder).Any(inner => Path.GetFileName(inner) is not ("bin" or "obj") && HasSources(inner));

    private static string Find()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "Uniscale.sln"))) at = at.Parent!;
        return at.FullName;
    }
}
