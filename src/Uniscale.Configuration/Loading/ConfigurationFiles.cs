using System.Text;

namespace Uniscale.Configuration.Loading;

/// <summary>Reads a file and what it extends into one map.</summary>
internal static class ConfigurationFiles
{
    private const string ExtendsKey = "extends";

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// The map of <paramref name="path"/> over those it extends (paths relative to the file that names them; of several, later ones win).
    /// </summary>
    public static MapNode Read(string path, Func<string, string?> environment, bool isStored = false) =>
        new Drawn(environment, isStored).Read(path, []);

    /// <summary>One file and all that it draws in.</summary>
    private sealed class Drawn(Func<string, string?> environment, bool isStored)
    {
        private static readonly YamlLimits Limits = new();
        private int _count;

        public MapNode Read(string path, IReadOnlyList<string> readers)
        {
            string identity = Path.GetFullPath(path);
            if (readers.Contains(identity))
                throw new UserErrorException(
                    $"{path}: the files extend each other in a circle ({string.Join(" -> ", readers.Append(identity).Select(Path.GetFileName))}); take one 'extends' out."
                );
            if (++_count > Limits.Files)
                throw new UserErrorException(
                    $"{path}: this is the {_count}th file that is drawn in by extends, at most {Limits.Files} are; files that extend several others multiply."
                );
            var node = YamlReader.Read(ReadText(path), (line, column) => new Origin.InFile(path, (int)line, (int)column));
            var root = EnvironmentVariables.Substitute(node, environment, isStored) switch
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
                string below = Path.Combine(Path.GetDirectoryName(path) ?? "", HomeFolder.Expand(name, origin.Exact));
                if (!File.Exists(below))
                    throw new UserErrorException(
                        $"{origin.Exact}: extends names {below}, which does not exist; the path is relative to this file."
                    );
                merged = Read(below, [.. readers, identity]).Over(merged);
            }
            return root.Without(ExtendsKey).Over(merged);
        }
    }

    private static IEnumerable<(string Name, Origin Origin)> Names(ConfigNode extends) =>
        extends switch
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
            using var reader = new StreamReader(path, StrictUtf8, detectEncodingFromByteOrderMarks: true);
            var text = new StringBuilder();
            int limit = YamlLimits.Current.Characters;
            char[] block = new char[1 << 16];
            // One character beyond the limit is enough for the reader to refuse; a device or a pipe may never end.
            for (int read; text.Length <= limit && (read = reader.Read(block)) > 0;)
                text.Append(block, 0, read);
            return text.ToString();
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserErrorException($"There is no configuration file {path}; check the path (configs/ holds examples).", error);
        }
        catch (DecoderFallbackException error)
        {
            throw new UserErrorException($"The configuration file {path} is not UTF-8 text; is it the right file?", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new UserErrorException($"The configuration file {path} cannot be read: {error.Message}", error);
        }
    }
}
