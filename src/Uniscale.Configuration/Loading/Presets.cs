namespace Uniscale.Configuration.Loading;

/// <summary>Model presets: YAML files inside the assembly (Presets/NAME.yaml), merged under the model section.</summary>
public static class Presets
{
    private const string Prefix = "Uniscale.Configuration.Presets.";

    /// <summary>Names of all presets.</summary>
    public static IReadOnlyList<string> Known { get; } =
    [
        .. typeof(Presets)
            .Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(name => name[Prefix.Length..^".yaml".Length])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Puts the values of <c>model.preset</c> under those of the model section.</summary>
    internal static MapNode Apply(MapNode root)
    {
        if (root["model"] is not MapNode model || model["preset"] is not ScalarNode { IsNull: false } preset)
            return root;
        if (!Known.Contains(preset.Text))
            throw new UserErrorException(
                $"{preset.Origin.Exact}: model.preset is '{preset.Text}', which is not known{Schema.Names.Hint(preset.Text, Known)}"
            );
        var origin = new Origin.InPreset(preset.Text);
        var values = (MapNode)YamlReader.Read(Read(preset.Text), (_, _) => origin);
        var modelEntry = root.Entries.First(entry => entry.Key == "model");
        return root.With(modelEntry with { Value = model.Over(values) });
    }

    private static string Read(string name)
    {
        using var stream = typeof(Presets).Assembly.GetManifestResourceStream($"{Prefix}{name}.yaml")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
