using Uniscale.Configuration.Loading;
using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>
/// YAML to a checked <see cref="RunConfiguration"/>. Order of precedence, the later wins: defaults, model preset,
/// files named by <c>extends</c>, the file itself, <c>--set</c>. Maps merge, lists and single values replace.
/// </summary>
public static class ConfigurationLoader
{
    /// <summary>Loads <paramref name="path"/>, applies overrides such as <c>model.layers=12</c>, and checks all that needs no world size.</summary>
    /// <exception cref="UserErrorException">Anything wrong with the file or the overrides, with its place.</exception>
    public static ResolvedConfiguration Load(string path, IReadOnlyList<string>? overrides = null) =>
        Resolve(ConfigurationFiles.Read(path, Environment.GetEnvironmentVariable), overrides ?? []);

    /// <summary>As <see cref="Load"/>, from text; <paramref name="name"/> stands for the file in messages, and relative <c>extends</c> start in its folder.</summary>
    public static ResolvedConfiguration Parse(string yaml, IReadOnlyList<string>? overrides = null, string name = "config.yaml")
    {
        var node = YamlReader.Read(yaml, (line, column) => new Origin.InFile(name, (int)line, (int)column));
        return EnvironmentVariables.Substitute(node, Environment.GetEnvironmentVariable) switch
        {
            MapNode map => Resolve(map, overrides ?? []),
            _ => throw new UserErrorException($"{node.Origin.Exact}: the file must be a map of sections such as model: and data:."),
        };
    }

    private static ResolvedConfiguration Resolve(MapNode root, IReadOnlyList<string> overrides)
    {
        foreach (var text in overrides)
            root = Overrides.Apply(root, text);
        root = Presets.Apply(root);
        var binder = new Binder();
        var value = (RunConfiguration)binder.BindSection(SectionSchema.Root, root, "");
        var resolved = new ResolvedConfiguration(value, binder.Origins);
        ConfigurationRules.Check(resolved);
        return resolved;
    }
}
