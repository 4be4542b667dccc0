namespace Uniscale.Configuration.Tests;

/// <summary>Files of the repository that tests hold to what the code says.</summary>
internal static class RepositoryFiles
{
    public static string Root { get; } = FindRoot();

    /// <summary>Every run configuration under configs/ (they name their schema in the first line).</summary>
    public static TheoryData<string> Configurations() =>
        [.. Directory.GetFiles(Path.Combine(Root, "configs"), "*.yaml")
            .Where(path => File.ReadLines(path).FirstOrDefault()?.Contains("uniscale.schema.json", StringComparison.Ordinal) == true)
            .Select(path => Path.GetFileName(path)!)
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
