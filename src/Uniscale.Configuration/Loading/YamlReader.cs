using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Uniscale.Configuration.Loading;

/// <summary>
/// YAML text to nodes that know their places. Duplicate keys, tags, second documents and what is beyond the limits are refused.
/// </summary>
internal sealed class YamlReader
{
    private readonly IParser _parser;
    private readonly Func<Mark, Origin> _place;
    private readonly YamlLimits _limits = YamlLimits.Current;
    private readonly Dictionary<string, Anchored> _anchors = new(StringComparer.Ordinal);
    private int _nodes;
    private int _depth;
    private int _deepest;

    private YamlReader(string text, Func<Mark, Origin> place)
    {
        _parser = new Parser(new StringReader(References.Hide(text)));
        this._place = place;
    }

    /// <summary>A value that aliases may stand for, with what each of them adds to the document.</summary>
    private sealed record Anchored(ConfigNode Node, int Nodes, int Depth);

    /// <summary>Reads one document; an empty one is an empty map.</summary>
    public static ConfigNode Read(string text, Func<long, long, Origin> place)
    {
        var reader = new YamlReader(text, mark => place(mark.Line, mark.Column));
        if (text.Length > reader._limits.Characters)
            throw reader.Refused(
                Mark.Empty,
                $"the file has more than {reader._limits.Characters:N0} characters; split it with extends, or allow more with {YamlLimits.CharactersVariable}."
            );
        try
        {
            return reader.ReadDocument();
        }
        catch (YamlException error)
        {
            throw new UserErrorException(
                $"{place(error.Start.Line, error.Start.Column).Exact}: this is not YAML: {Sentence(error.Message)}",
                error
            );
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The scanner fails so on some broken flow values; the last good event is the nearest place that is known.
            var near = reader._parser.Current?.End ?? Mark.Empty;
            throw new UserErrorException(
                $"{place(near.Line, near.Column).Exact}: what follows here is not YAML; check brackets, quotes and colons.",
                error
            );
        }
    }

    private ConfigNode ReadDocument()
    {
        _parser.Consume<StreamStart>();
        if (_parser.Accept<StreamEnd>(out var end))
            return new MapNode([], _place(end.Start));
        _parser.Consume<DocumentStart>();
        var root = ReadNode();
        _parser.Consume<DocumentEnd>();
        if (_parser.TryConsume<DocumentStart>(out var second))
            throw Refused(second.Start, "the file holds a second YAML document; keep one document a file.");
        return root;
    }

    private ConfigNode ReadNode()
    {
        if (_parser.TryConsume<AnchorAlias>(out var alias))
            return Known(alias);
        if (
            _parser.Current is NodeEvent { Tag.IsEmpty: false } tagged
            && tagged is not Scalar { Tag.IsNonSpecific: true }
            && !IsSecret(tagged)
        )
            throw Refused(tagged.Start, $"the YAML tag '{Excerpt(tagged.Tag.ToString())}' is not supported; write the value without it.");
        var (anchor, start, before, outer) = (
            (_parser.Current as NodeEvent)?.Anchor ?? AnchorName.Empty,
            _parser.Current?.Start ?? Mark.Empty,
            _nodes,
            _deepest
        );
        Count(1, start);
        ConfigNode node;
        if (_parser.TryConsume<Scalar>(out var scalar))
        {
            var value = new ScalarNode(References.Show(scalar.Value), scalar.Style == ScalarStyle.Plain, _place(scalar.Start))
            {
                IsMarkedSecret = IsSecret(scalar),
            };
            return Keep(anchor, new Anchored(value, 1, 0));
        }
        _deepest = _depth;
        Enter(1, start);
        _depth++;
        node = _parser.Accept<SequenceStart>(out _) ? ReadList() : ReadMap();
        _depth--;
        var read = Keep(anchor, new Anchored(node, _nodes - before, _deepest - _depth));
        _deepest = Math.Max(outer, _deepest);
        return read;
    }

    private static bool IsSecret(NodeEvent tagged) =>
        tagged is Scalar { Tag: { IsEmpty: false, IsNonSpecific: false } tag } && tag.Value == Reference.SecretTag;

    private ConfigNode Keep(AnchorName anchor, Anchored read)
    {
        if (!anchor.IsEmpty)
            _anchors[anchor.Value] = read;
        return read.Node;
    }

    private ConfigNode Known(AnchorAlias alias)
    {
        if (!_anchors.TryGetValue(alias.Value.Value, out var known))
            throw Refused(
                alias.Start,
                $"the alias '*{Excerpt(alias.Value.Value)}' stands for nothing; quote the text if it begins with a star."
            );
        Count(known.Nodes, alias.Start);
        Enter(known.Depth, alias.Start);
        return known.Node;
    }

    private void Count(int more, Mark at)
    {
        _nodes += more;
        if (_nodes > _limits.Nodes)
            throw Refused(
                at,
                $"the file has more than {_limits.Nodes:N0} values, those behind aliases counted each time; shorten it, or allow more with {YamlLimits.NodesVariable}."
            );
    }

    private void Enter(int levels, Mark at)
    {
        _deepest = Math.Max(_deepest, _depth + levels);
        if (_deepest > _limits.Depth)
            throw Refused(at, $"maps and lists are nested more than {_limits.Depth} deep here; a configuration needs fewer.");
    }

    private ListNode ReadList()
    {
        var start = _parser.Consume<SequenceStart>();
        var items = new List<ConfigNode>();
        while (!_parser.TryConsume<SequenceEnd>(out _))
            items.Add(ReadNode());
        return new ListNode(items, _place(start.Start));
    }

    private MapNode ReadMap()
    {
        var start = _parser.Consume<MappingStart>();
        var entries = new OrderedDictionary<string, MapEntry>(StringComparer.Ordinal);
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            if (!_parser.TryConsume<Scalar>(out var scalar))
                throw Refused(_parser.Current!.Start, "a key must be a plain name.");
            string key = References.Show(scalar.Value);
            if (entries.TryGetValue(key, out var first))
                throw Refused(scalar.Start, $"the key '{Excerpt(key)}' is given twice (first at {first.KeyOrigin}); keep one of them.");
            entries.Add(key, new MapEntry(key, _place(scalar.Start), ReadNode()));
        }
        return new MapNode([.. entries.Values], _place(start.Start));
    }

    private static string Excerpt(string text) => ScalarNode.Excerpt(text);

    private UserErrorException Refused(Mark mark, string what) => new($"{_place(mark).Exact}: {what}");

    private static string Sentence(string message) => message.TrimEnd('.') + ".";
}
