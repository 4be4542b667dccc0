using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration.Tests.Schema;

public sealed class GeneratedFilesTests
{
    [Fact]
    public void The_reference_page_is_current() => Current("docs/reference/configuration.md", ReferencePage.Write(), "--docs");

    [Fact]
    public void The_schema_is_current() => Current("configs/uniscale.schema.json", JsonSchema.Write(), "--schema");

    [Fact]
    public void Every_key_says_what_it_means()
    {
        var silent = Keys(SectionSchema.Root, "", []).Where(key => Documentation.Of(key.Key.Property).Length < 3).Select(key => key.Path);
        Assert.Empty(silent);
    }

    private static void Current(string file, string expected, string option)
    {
        string path = Path.Combine(Repository.Root, file);
        string actual = File.Exists(path) ? File.ReadAllText(path) : "";
        Assert.True(actual == expected, $"{file} is not current; run: scripts/uniscale config {option} > {file}");
    }

    private static IEnumerable<(string Path, KeySchema Key)> Keys(SectionSchema schema, string path, HashSet<Type> seen)
    {
        if (!seen.Add(schema.Type))
            yield break;
        foreach (var key in schema.Keys)
        {
            yield return ($"{path}{key.Name}", key);
            var inner = key.Value.Element ?? key.Value;
            if (inner.Kind != ValueKind.Section)
                continue;
            foreach (var below in Keys(inner.Section, $"{path}{key.Name}.", seen))
                yield return below;
        }
    }
}
