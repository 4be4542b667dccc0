namespace Uniscale.Configuration.Loading;

/// <summary>What follows from <c>objective</c> and <c>reward.preset</c> where the file is silent.</summary>
internal static class Objectives
{
    private const string Prefix = "Uniscale.Configuration.RewardPresets.", Suffix = ".yaml";

    /// <summary>Names of the recipes of reward models.</summary>
    public static IReadOnlyList<string> KnownRewards { get; } =
        [.. typeof(Objectives).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Select(name => name[Prefix.Length..^Suffix.Length]).Order(StringComparer.Ordinal)];

    public static MapNode Apply(MapNode root)
    {
        if ((root["reward"] as MapNode)?["preset"] is ScalarNode { IsNull: false } preset)
        {
            if (!KnownRewards.Contains(preset.Text))
                throw new UserErrorException($"{preset.Origin.Exact}: reward.preset is '{preset.Text}', which is not known{Schema.Names.Hint(preset.Text, KnownRewards)}");
            root = root.Over(Read(Text(preset.Text), $"reward {preset.Text}"));
        }
        return root["objective"] is ScalarNode { Text: "sft" or "reward" or "dpo" or "grpo" } objective
            ? root.Over(Read(ValuesOf(objective.Text), $"objective {objective.Text}"))
            : root;
    }

    private static string ValuesOf(string objective) => objective switch
    {
        "reward" => "model: { head: score, document_mask: true }",
        // The loss of a policy lies about 0: what is far from its median there is no spike.
        "grpo" => "{ model: { document_mask: true }, bad_steps: { loss_threshold: 0 } }",
        _ => "model: { document_mask: true }",
    };

    private static MapNode Read(string yaml, string name)
    {
        var origin = new Origin.InPreset(name);
        return (MapNode)YamlReader.Read(yaml, (_, _) => origin);
    }

    private static string Text(string name)
    {
        using var reader = new StreamReader(typeof(Objectives).Assembly.GetManifestResourceStream(Prefix + name + Suffix)!);
        return reader.ReadToEnd();
    }
}
