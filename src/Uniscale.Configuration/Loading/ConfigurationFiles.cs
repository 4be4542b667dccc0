namespace Uniscale.Configuration.Loading;

/// <summary>Reads a file and what it extends into one map.</summary>
internal static class ConfigurationFiles
{
    private const string ExtendsKey = "extends";

    /// <summary>
    /// The map of <paramref name="path"/> over those it extends (paths relative to the file that names them; of several, later ones win).
    /// </summary>
    public static MapNode Read(string path, Func<string, string?> environment) => Read(path, environment, []);

    private static MapNode Read(string path, Func<string, string?> environment, IReadOnlyList<string> readers)
    {
        var identity = Path.GetFullPath(path);
        if (readers.Contains(identity))
            throw new UserErrorException(
                $"{path}: the files extend each other in a circle ({string.Join(" -> ", readers.Append(identity).Select(Path.GetFileName))}); take one 'extends' out.");
        var node = YamlReader.Read(ReadText(path), (line, column) => new Origin.InFile(path, (int)line, (int)column));
        var root = EnvironmentVariables.Substitute(node, environment) switch
        {
            MapNode map => map,
            ScalarNode { IsNull: true } => new MapNode([], node.Origin),
            _ => throw new UserErrorException($"{node.Origin.Exact}: the file must be a map of sections such as model: and data:."),
        };
        if (root[ExtendsKey] is not { } extends)
            return root;
        var merged = new MapNode([], root.Origin);
        foreach (var (name, origin) in Names(extends))
        {
            var below = Path.Combine(Path.GetDirectoryName(path) ?? "", name);
            if (!File.Exists(below))
                throw new UserErrorException($"{origin.Exact}: extends names {below}, which does not exist; the path is relative to this file.");
            merged = Read(below, environment, [.. readers, identity]).Over(merged);
        }
        return root.Without(ExtendsKey).Over(merged);
    }

    private static IEnumerable<(string Name, Origin Origin)> Names(ConfigNode extends) => extends switch
    {
        ScalarNode { IsNull: false } scalar => [(scalar.Text, scalar.Origin)],
        ListNode list => list.Items.SelectMany(Names),
        _ => throw new UserErrorException($"{extends.Origin.Exact}: extends expects a file name, or a list of file names."),
    };

    private static string ReadText(string path)
    {
        if (Directory.Exists(path))
            throw new UserErrorException($"{path} is a folder: give the configuration file in it.");
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserErrorException($"There is no configuration file {path}; check the path (configs/ holds examples).", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"The configuration file {path} cannot be read: {error.Message}", error);
        }
    }
}
