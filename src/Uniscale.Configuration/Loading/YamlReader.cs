using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Uniscale.Configuration.Loading;

/// <summary>YAML text to nodes that know their places. Duplicate keys, tags and second documents are refused.</summary>
internal sealed class YamlReader
{
    private readonly IParser parser;
    private readonly Func<Mark, Origin> place;
    private readonly Dictionary<string, ConfigNode> anchors = new(StringComparer.Ordinal);

    private YamlReader(string text, Func<Mark, Origin> place)
    {
        parser = new Parser(new StringReader(text));
        this.place = place;
    }

    /// <summary>Reads one document; an empty one is an empty map.</summary>
    public static ConfigNode Read(string text, Func<long, long, Origin> place)
    {
        var reader = new YamlReader(text, mark => place(mark.Line, mark.Column));
        try
        {
            return reader.ReadDocument();
        }
        catch (YamlException error)
        {
            throw new UserErrorException($"{place(error.Start.Line, error.Start.Column).Exact}: this is not YAML: {Sentence(error.Message)}", error);
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The scanner fails so on some broken flow values; the last good event is the nearest place that is known.
            var near = reader.parser.Current?.End ?? Mark.Empty;
            throw new UserErrorException($"{place(near.Line, near.Column).Exact}: what follows here is not YAML; check brackets, quotes and colons.", error);
        }
    }

    private ConfigNode ReadDocument()
    {
        parser.Consume<StreamStart>();
        if (parser.Accept<StreamEnd>(out var end))
            return new MapNode([], place(end.Start));
        parser.Consume<DocumentStart>();
        var root = ReadNode();
        parser.Consume<DocumentEnd>();
        if (parser.TryConsume<DocumentStart>(out var second))
            throw Refused(second.Start, "the file holds a second YAML document; keep one document a file.");
        return root;
    }

    private ConfigNode ReadNode()
    {
        if (parser.TryConsume<AnchorAlias>(out var alias))
            return anchors.TryGetValue(alias.Value.Value, out var known)
                ? known
                : throw Refused(alias.Start, $"the alias '*{alias.Value}' stands for nothing; quote the text if it begins with a star.");
        if (parser.Current is NodeEvent { Tag.IsEmpty: false } tagged && tagged is not Scalar { Tag.IsNonSpecific: true })
            throw Refused(tagged.Start, $"the YAML tag '{tagged.Tag}' is not supported; write the value without it.");
        var anchor = (parser.Current as NodeEvent)?.Anchor ?? AnchorName.Empty;
        ConfigNode node;
        if (parser.TryConsume<Scalar>(out var scalar))
            node = new ScalarNode(scalar.Value, scalar.Style == ScalarStyle.Plain, place(scalar.Start));
        else if (parser.Accept<SequenceStart>(out _))
            node = ReadList();
        else
            node = ReadMap();
        if (!anchor.IsEmpty)
            anchors[anchor.Value] = node;
        return node;
    }

    private ListNode ReadList()
    {
        var start = parser.Consume<SequenceStart>();
        var items = new List<ConfigNode>();
        while (!parser.TryConsume<SequenceEnd>(out _))
            items.Add(ReadNode());
        return new ListNode(items, place(start.Start));
    }

    private MapNode ReadMap()
    {
        var start = parser.Consume<MappingStart>();
        var entries = new List<MapEntry>();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            if (!parser.TryConsume<Scalar>(out var key))
                throw Refused(parser.Current!.Start, "a key must be a plain name.");
            if (entries.FirstOrDefault(entry => entry.Key == key.Value) is { } first)
                throw Refused(key.Start, $"the key '{key.Value}' is given twice (first at {first.KeyOrigin}); keep one of them.");
            entries.Add(new MapEntry(key.Value, place(key.Start), ReadNode()));
        }
        return new MapNode(entries, place(start.Start));
    }

    private UserErrorException Refused(Mark mark, string what) => new($"{place(mark).Exact}: {what}");

    private static string Sentence(string message) => message.TrimEnd('.') + ".";
}
