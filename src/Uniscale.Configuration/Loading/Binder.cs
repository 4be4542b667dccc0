using System.Collections;
using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration.Loading;

/// <summary>Nodes to records, strictly: every key known, every value of its type and within its bounds.</summary>
/// <param name="whole">What the file as a whole is called in messages.</param>
internal sealed class Binder(string whole = "the configuration")
{
    private readonly Dictionary<string, Origin> _origins = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Reference> _references = new(StringComparer.Ordinal);

    /// <summary>Where each given value comes from, by its path such as <c>data.sources[0].weight</c>.</summary>
    public IReadOnlyDictionary<string, Origin> Origins => _origins;

    /// <summary>What stood in the file where the environment gave the value, by the value's path.</summary>
    public IReadOnlyDictionary<string, Reference> References => _references;

    public object BindSection(SectionSchema schema, ConfigNode node, string path)
    {
        if (node is not MapNode map)
            throw Wrong(node, path, "expects a section of keys and values");
        object record = Activator.CreateInstance(schema.Type)!;
        foreach (var entry in map.Entries)
        {
            var key = schema.Find(entry.Key) ?? throw Unknown(schema, entry, path.Length == 0 ? whole : path);
            string keyPath = path.Length == 0 ? key.Name : $"{path}.{key.Name}";
            if (key.Value.Kind != ValueKind.Section)
                _origins[keyPath] = entry.Value.Origin;
            if (entry.Value is ScalarNode { IsNull: true })
                BindNull(record, key, entry.Value, keyPath);
            // Who only reads the run's weights does without a number that is secret; it stays the reference in what is written.
            else if (entry.Value is ScalarNode { IsAbsent: true } secret && key.Value.Kind != ValueKind.Text)
                _references[keyPath] = secret.Reference!;
            else
                key.Property.SetValue(record, Bind(key.Value, entry.Value, keyPath));
        }
        return record;
    }

    private static void BindNull(object record, KeySchema key, ConfigNode node, string path)
    {
        if (key.Nullable)
            key.Property.SetValue(record, null);
        else if (key.Value.Kind is not (ValueKind.Section or ValueKind.List or ValueKind.Map))
            throw Wrong(node, path, $"expects {Describe(key.Value)}");
    }

    private object Bind(ValueSchema schema, ConfigNode node, string path)
    {
        switch (schema.Kind)
        {
            case ValueKind.Section:
                return BindSection(schema.Section, node, path);
            case ValueKind.List:
                return BindList(schema, node, path);
            case ValueKind.Map:
                return BindMap(schema, node, path);
            default:
                _origins[path] = node.Origin;
                if (node is ScalarNode { Reference: { } reference })
                    _references[path] = reference;
                return node is ScalarNode scalar
                    ? BindScalar(schema, scalar, path)
                    : throw Wrong(node, path, $"expects {Describe(schema)}");
        }
    }

    private IList BindList(ValueSchema schema, ConfigNode node, string path)
    {
        if (node is not ListNode list)
            throw Wrong(node, path, "expects a list, for example [a, b]");
        var values = Array.CreateInstance(schema.Element!.Type, list.Items.Count);
        for (int i = 0; i < list.Items.Count; i++)
            values.SetValue(Bind(schema.Element, list.Items[i], $"{path}[{i}]"), i);
        return values;
    }

    private IDictionary BindMap(ValueSchema schema, ConfigNode node, string path)
    {
        if (node is not MapNode map)
            throw Wrong(node, path, "expects a map, for example {name: value}");
        var values = (IDictionary)
            Activator.CreateInstance(typeof(OrderedDictionary<,>).MakeGenericType(typeof(string), schema.Element!.Type))!;
        foreach (var entry in map.Entries)
            values[entry.Key] = Bind(schema.Element, entry.Value, $"{path}.{entry.Key}");
        return values;
    }

    private static object BindScalar(ValueSchema schema, ScalarNode node, string path)
    {
        switch (schema.Kind)
        {
            case ValueKind.Text:
                if (schema.OneOf is { } allowed && !allowed.Contains(node.Text))
                    throw NotAmong(node, path, allowed);
                return schema.IsPath ? HomeFolder.Expand(node.Text, $"{node.Origin.Exact}: {path}") : node.Text;
            case ValueKind.Choice:
                return schema.Choices.FirstOrDefault(choice => choice.Name == node.Text || choice.Aliases.Contains(node.Text))?.Value
                    ?? throw NotAmong(node, path, [.. schema.Choices.Select(choice => choice.Name)]);
            case ValueKind.Boolean:
                return node is { Plain: true, Text: "true" }
                    || (node is { Plain: true, Text: "false" } ? false : throw Wrong(node, path, "expects true or false"));
            default:
                return BindNumber(schema, node, path);
        }
    }

    private static object BindNumber(ValueSchema schema, ScalarNode node, string path)
    {
        double number;
        var unit = schema.Kind == ValueKind.Duration ? Unit.Duration : schema.Unit;
        bool read = unit is { } known
            ? Quantity.TryParse(node.Text, known, out number)
            : Quantity.TryParseNumber(node.Text, out number) && node.Plain;
        bool whole = schema.Kind == ValueKind.Integer;
        long exact = 0;
        bool digits = whole && Quantity.TryParseWhole(node.Text, out exact);
        if (!read || (whole && !digits && (number != Math.Floor(number) || Math.Abs(number) > 9e18)))
            throw Wrong(node, path, $"expects {Describe(schema)}");
        if (schema.Range is { } range && !range.Contains(number))
            throw new UserErrorException($"{node.Origin.Exact}: {path} is {node.Shown}, but must be {range.Describe()}.");
        long integer = digits ? exact : (long)number;
        if (schema.Type == typeof(int) && integer is < int.MinValue or > int.MaxValue)
            throw new UserErrorException($"{node.Origin.Exact}: {path} is {node.Shown}, but must be at most {int.MaxValue}.");
        return schema.Kind switch
        {
            ValueKind.Duration => TimeSpan.FromSeconds(number),
            ValueKind.Integer when schema.Type == typeof(int) => (int)integer,
            ValueKind.Integer => integer,
            _ => number,
        };
    }

    private static string Describe(ValueSchema schema) =>
        schema switch
        {
            { Kind: ValueKind.Duration } => Quantity.Examples(Unit.Duration),
            { Unit: { } unit } => Quantity.Examples(unit),
            { Kind: ValueKind.Integer } => "a whole number",
            { Kind: ValueKind.Number } => "a number",
            { Kind: ValueKind.Boolean } => "true or false",
            { Kind: ValueKind.Choice } => "one of " + string.Join(", ", schema.Choices.Select(choice => choice.Name)),
            _ => "a text",
        };

    private static UserErrorException Unknown(SectionSchema schema, MapEntry entry, string section)
    {
        string[] known = schema.Keys.Select(key => key.Name).ToArray();
        return new UserErrorException(
            $"{entry.KeyOrigin.Exact}: {section} has no key '{ScalarNode.Excerpt(entry.Key)}'{Names.Hint(entry.Key, known)}"
        );
    }

    private static UserErrorException NotAmong(ScalarNode node, string path, IReadOnlyList<string> names)
    {
        // Short names are near to everything: "gpu" is no misspelt "cpu".
        string? nearest = node.Text.Length > 3 ? Names.Nearest(node.Text, names) : null;
        string hint = nearest is null ? "" : $" (did you mean '{nearest}'?)";
        return new UserErrorException(
            $"{node.Origin.Exact}: {path} is '{node.Shown}', but must be one of {string.Join(", ", names)}{hint}."
        );
    }

    private static UserErrorException Wrong(ConfigNode node, string path, string expectation)
    {
        string what = node switch
        {
            ScalarNode { IsNull: true } => "nothing",
            ScalarNode { Plain: true } scalar => $"'{scalar.Shown}'",
            ScalarNode scalar => $"the quoted text '{scalar.Shown}'",
            ListNode => "a list",
            _ => "a map",
        };
        string subject = path.Length == 0 ? "the file" : path;
        return new UserErrorException($"{node.Origin.Exact}: {subject} {expectation}, not {what}.");
    }
}
