using Uniscale.Configuration.Loading;
using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>
/// YAML to a checked <see cref="RunConfiguration"/>. Order of precedence, the later wins: defaults, model preset,
/// files named by <c>extends</c>, the file itself, <c>--set</c>. Maps merge, lists and single values replace.
/// </summary>
public static class ConfigurationLoader
{
    /// <summary>
    /// Loads <paramref name="path"/>, applies overrides such as <c>model.layers=12</c>, and checks all that needs no world size.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="overrides">Values that replace those of the file.</param>
    /// <param name="runFolder">Folder of the run whose own configuration the file is: there its files are, wherever they were when it was
    /// stored. Null: it is no run's.</param>
    /// <exception cref="UserErrorException">Anything wrong with the file or the overrides, with its place.</exception>
    public static ResolvedConfiguration Load(string path, IReadOnlyList<string>? overrides = null, string? runFolder = null)
    {
        var root = ConfigurationFiles.Read(path, Environment.GetEnvironmentVariable);
        return Resolve(runFolder is null ? root : RunPlace.Apply(root, runFolder), overrides ?? []);
    }

    /// <summary>
    /// As <see cref="Load"/>, of a file that was stored with a run: secrets that are not set here are <see cref="Reference.Absent"/>.
    /// </summary>
    public static ResolvedConfiguration LoadStored(string path, string? runFolder = null)
    {
        var root = ConfigurationFiles.Read(path, Environment.GetEnvironmentVariable, isStored: true);
        return Resolve(runFolder is null ? root : RunPlace.Apply(root, runFolder), []);
    }

    /// <summary>
    /// As <see cref="Load"/>, from text; <paramref name="name"/> stands for the file in messages, and relative <c>extends</c> start in its
    /// folder.
    /// </summary>
    public static ResolvedConfiguration Parse(string yaml, IReadOnlyList<string>? overrides = null, string name = "config.yaml") =>
        Parse(yaml, overrides, name, isStored: false);

    /// <summary>
    /// As <see cref="Parse(string, IReadOnlyList{string}?, string)"/>, of a configuration that was stored with a run: secrets that are not
    /// set here are <see cref="Reference.Absent"/>.
    /// </summary>
    public static ResolvedConfiguration ParseStored(string yaml, IReadOnlyList<string>? overrides, string name) =>
        Parse(yaml, overrides, name, isStored: true);

    /// <summary>An override whose value is a text, whatever characters it has.</summary>
    public static string Override(string key, string text) => $"{key}={ScalarText.Quoted(text)}";

    private static ResolvedConfiguration Parse(string yaml, IReadOnlyList<string>? overrides, string name, bool isStored)
    {
        var node = YamlReader.Read(yaml, (line, column) => new Origin.InFile(name, (int)line, (int)column));
        return EnvironmentVariables.Substitute(node, Environment.GetEnvironmentVariable, isStored) switch
        {
            MapNode map => Resolve(map, overrides ?? []),
            _ => throw new UserErrorException($"{node.Origin.Exact}: the file must be a map of sections such as model: and data:."),
        };
    }

    /// <summary>
    /// Reads another kind of file than a run's configuration, as strictly: <c>extends</c>, variables, known keys, types and bounds.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="whole">What the file as a whole is called in messages, e.g. "the sweep".</param>
    /// <typeparam name="T">Record with the keys of the file; every property has a default.</typeparam>
    /// <exception cref="UserErrorException">Anything wrong with the file, with its place.</exception>
    public static T Read<T>(string path, string whole)
        where T : class =>
        (T)
            new Binder(whole).BindSection(
                SectionSchema.Of(typeof(T)),
                ConfigurationFiles.Read(path, Environment.GetEnvironmentVariable),
                ""
            );

    /// <summary>As <see cref="Read"/>, from text; <paramref name="name"/> stands for the file in messages.</summary>
    public static T ReadText<T>(string yaml, string name, string whole)
        where T : class
    {
        var node = YamlReader.Read(yaml, (line, column) => new Origin.InFile(name, (int)line, (int)column));
        return node is MapNode map
            ? (T)new Binder(whole).BindSection(SectionSchema.Of(typeof(T)), map, "")
            : throw new UserErrorException($"{node.Origin.Exact}: {whole} must be a map.");
    }

    private static ResolvedConfiguration Resolve(MapNode root, IReadOnlyList<string> overrides)
    {
        foreach (string text in overrides)
            root = Overrides.Apply(root, text);
        root = PhaseBatches.Apply(Presets.Apply(Objectives.Apply(root)));
        var binder = new Binder();
        var value = (RunConfiguration)binder.BindSection(SectionSchema.Root, root, "");
        var resolved = new ResolvedConfiguration(value, binder.Origins, binder.References);
        ConfigurationRules.Check(resolved);
        return resolved;
    }
}
