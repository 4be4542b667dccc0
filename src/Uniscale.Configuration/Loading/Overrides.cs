using System.Globalization;
using System.Text.RegularExpressions;

namespace Uniscale.Configuration.Loading;

/// <summary><c>--set a.b=c</c>: a path of keys and list indices, and a YAML value. Maps merge, everything else replaces.</summary>
internal static partial class Overrides
{
    public static MapNode Apply(MapNode root, string text)
    {
        var origin = new Origin.InOverride(text);
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
            throw new UserErrorException($"--set {text}: write it as key=value, for example --set model.layers=12.");
        string path = text[..equals].Trim();
        if (!PathPattern().IsMatch(path))
            throw new UserErrorException($"{origin.Exact}: '{path}' is no path of keys such as model.layers or data.sources[0].weight.");
        string[] steps = path.Replace("[", ".[", StringComparison.Ordinal).Split('.');
        string given = text[(equals + 1)..];
        var value = string.IsNullOrWhiteSpace(given) ? new ScalarNode("", true, origin) : YamlReader.Read(given, (_, _) => origin);
        return (MapNode)Place(root, steps, 0, value, origin);
    }

    private static ConfigNode Place(ConfigNode? at, string[] steps, int depth, ConfigNode value, Origin origin)
    {
        if (depth == steps.Length)
            return value is MapNode upper && at is MapNode lower ? upper.Over(lower) : value;
        string step = steps[depth];
        return at switch
        {
            ListNode list => PlaceInList(list, steps, depth, value, origin),
            null or ScalarNode { IsNull: true } when step[0] == '[' => PlaceInList(new ListNode([], origin), steps, depth, value, origin),
            MapNode map => map.With(new MapEntry(step, origin, Place(map[step], steps, depth + 1, value, origin))),
            null or ScalarNode { IsNull: true } => new MapNode(
                [new MapEntry(step, origin, Place(null, steps, depth + 1, value, origin))],
                origin
            ),
            _ => throw new UserErrorException(
                $"{origin.Exact}: {Name(steps[..depth])} is a single value (from {at.Origin}), so it has no '{step}'."
            ),
        };
    }

    private static ListNode PlaceInList(ListNode list, string[] steps, int depth, ConfigNode value, Origin origin)
    {
        string name = Name(steps[..depth]);
        if (!int.TryParse(steps[depth].Trim('[', ']'), NumberStyles.None, CultureInfo.InvariantCulture, out int index))
            throw new UserErrorException($"{origin.Exact}: {name} is a list; name an entry by its index, for example {name}[0].");
        if (index > list.Items.Count)
            throw new UserErrorException(
                $"{origin.Exact}: {name} has {list.Items.Count} entries, so index {index} does not exist; {list.Items.Count} appends one."
            );
        var items = list.Items.ToList();
        var placed = Place(index < items.Count ? items[index] : null, steps, depth + 1, value, origin);
        if (index < items.Count)
            items[index] = placed;
        else
            items.Add(placed);
        return list with { Items = items };
    }

    private static string Name(string[] steps) => string.Join('.', steps).Replace(".[", "[", StringComparison.Ordinal);

    [GeneratedRegex(@"^[\w-]+(\.[\w-]+|\[\d+\])*$")]
    private static partial Regex PathPattern();
}
