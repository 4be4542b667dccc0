namespace Uniscale.Configuration.Tests;

public sealed class ConfigurationDifferenceTests
{
    private const string Yaml = "{ train: { steps: 5 }, data: { sources: [{ name: a, shards: [x] }] } }";

    [Fact]
    public void Only_what_differs_is_named_with_its_origin()
    {
        string stored = ConfigurationLoader.Parse(Yaml).ToYaml();
        var current = ConfigurationLoader.Parse(
            Yaml,
            ["optimizer.lr=1e-3", "data.sources[0].shards=[x, y]", "data.sources[1]={name: b, virtual_tokens: 1M}"]
        );
        var lines = Lines(stored, current);
        Assert.Contains("optimizer.lr: 0.0003 -> 0.001 (--set)", lines);
        Assert.Contains("data.sources[0].shards: [x] -> [x, y] (--set)", lines);
        Assert.Contains("data.sources[1].name: absent -> b (--set)", lines);
        Assert.Equal(7, lines.Count);
    }

    [Fact]
    public void Equal_configurations_have_none_and_keys_of_other_versions_are_shown()
    {
        var current = ConfigurationLoader.Parse(Yaml);
        Assert.Empty(Lines(current.ToYaml(), current));
        Assert.Equal(["old_key: 3 -> absent (default)"], Lines(current.ToYaml() + "old_key: 3\n", current));
    }

    private static List<string> Lines(string stored, ResolvedConfiguration current) =>
        [.. ConfigurationDifference.Of(stored, current).Select(change => change.ToString())];
}
