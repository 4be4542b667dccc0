namespace Uniscale.Architecture.Tests;

/// <summary>Folders of the checkout.</summary>
internal static class Folders
{
    /// <summary>Those directly below a folder of the checkout that hold something under version control, in order.</summary>
    public static IReadOnlyList<string> Below(string relative) =>
        [
            .. Directory
                .GetDirectories(Repository.PathOf(relative))
                .Where(HasSources)
                .Select(path => Path.GetFileName(path)!)
                .Order(StringComparer.Ordinal),
        ];

    // What a build leaves of a project that another branch has is no project.
    private static bool HasSources(string folder) =>
        Directory.EnumerateFiles(folder).Any()
        || Directory.GetDirectories(folder).Any(inner => Path.GetFileName(inner) is not ("bin" or "obj") && HasSources(inner));
}
