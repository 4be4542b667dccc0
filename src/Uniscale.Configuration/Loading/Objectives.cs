namespace Uniscale.Configuration.Loading;

/// <summary>What follows from <c>objective</c>, <c>reward.preset</c> and <c>ppo.preset</c> where the file is silent.</summary>
internal static class Objectives
{
    private const string Suffix = ".yaml";

    /// <summary>Sections that have published recipes, and where these lie.</summary>
    private static readonly (string Section, string Prefix)[] Recipes =
    [
        ("reward", "Uniscale.Configuration.RewardPresets."),
        ("ppo", "Uniscale.Configuration.PpoPresets."),
    ];

    public static MapNode Apply(MapNode root)
    {
        foreach (var (section, prefix) in Recipes)
        {
            if ((root[section] as MapNode)?["preset"] is not ScalarNode { IsNull: false } preset)
                continue;
            string[] known = Known(prefix);
            if (!known.Contains(preset.Text))
                throw new UserErrorException(
                    $"{preset.Origin.Exact}: {section}.preset is '{preset.Text}', which is not known{Schema.Names.Hint(preset.Text, known)}"
                );
            root = root.Over(Read(Text(prefix + preset.Text + Suffix), $"{section} {preset.Text}"));
        }
        return root["objective"] is ScalarNode { Text: "sft" or "reward" or "dpo" or "grpo" or "ppo" } objective
            ? root.Over(Read(ValuesOf(objective.Text), $"objective {objective.Text}"))
            : root;
    }

    private static string ValuesOf(string objective) =>
        objective switch
        {
            "reward" => "model: { head: score, document_mask: true }",
            // The loss of a policy lies about 0: what is far from its median there is no spike.
            "grpo" or "ppo" => "{ model: { document_mask: true }, bad_steps: { loss_threshold: 0 } }",
            _ => "model: { document_mask: true }",
        };

    private static MapNode Read(string yaml, string name)
    {
        var origin = new Origin.InPreset(name);
        return (MapNode)YamlReader.Read(yaml, (_, _) => origin);
    }

    /// <summary>Names of the recipes of a section.</summary>
    private static string[] Known(string prefix) =>
        [
            .. typeof(Objectives)
                .Assembly.GetManifestResourceNames()
                .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
                .Select(name => name[prefix.Length..^Suffix.Length])
                .Order(StringComparer.Ordinal),
        ];

    private static string Text(string resource)
    {
        using var reader = new StreamReader(typeof(Objectives).Assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }
}
