namespace Uniscale.Configuration.Tests;

/// <summary>Files of the repository that tests hold to what the code says.</summary>
internal static class RepositoryFiles
{
    /// <summary>
    /// Every run configuration under configs/, relative to it: those that name their schema in the first line, without what they extend.
    /// </summary>
    public static TheoryData<string> Configurations() =>
        [
            .. Directory
                .GetFiles(Path.Combine(Repository.Root, "configs"), "*.yaml", SearchOption.AllDirectories)
                .Where(path => File.ReadLines(path).FirstOrDefault()?.Contains("uniscale.schema.json", StringComparison.Ordinal) == true)
                .Select(path => Path.GetRelativePath(Path.Combine(Repository.Root, "configs"), path))
                .Where(path => !path.StartsWith("base/", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];

    public static string Configuration(string name) => Path.Combine(Repository.Root, "configs", name);
}
