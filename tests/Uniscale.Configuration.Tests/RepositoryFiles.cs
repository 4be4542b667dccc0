namespace Uniscale.Configuration.Tests;

/// <summary>Files of the repository that tests hold to what the code says.</summary>
internal static class RepositoryFiles
{
    public static string Root { get; } = FindRoot();

    /// <summary>Every run configuration under configs/, relative to it: those that name their schema in the first line, without what they extend.</summary>
    public static TheoryData<string> Configurations() =>
        [.. Directory.GetFiles(Path.Combine(Root, "configs"), "*.yaml", SearchOption.AllDirectories)
            .Where(path => File.ReadLines(path).FirstOrDefault()?.Contains("uniscale.schema.json", StringComparison.Ordinal) == true)
            .Select(path => Path.GetRelativePath(Path.Combine(Root, "configs"), path))
            .Where(path => !path.StartsWith("base/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)];

    public static string Configuration(string name) => Path.Combine(Root, "configs", name);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Uniscale.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests run outside the repository.");
    }
}
