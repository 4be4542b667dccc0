using System.Globalization;
using System.Text;

namespace Uniscale.Data;

/// <summary>
/// Reads the patterns by which tokenizer.json files split texts: regular expressions in Oniguruma's syntax. What is not understood is a
/// <see cref="FormatException"/> that names it: a pattern is never taken for another.
/// </summary>
internal sealed class PatternParser
{
    private const int MostCharacters = 4096,
        MostDepth = 32,
        MostExpanded = 64;

    private static readonly (string Name, UnicodeCategory[] Categories)[] Properties =
    [
        (
            "L",
            [
                UnicodeCategory.UppercaseLetter,
                UnicodeCategory.LowercaseLetter,
                UnicodeCategory.TitlecaseLetter,
                UnicodeCategory.ModifierLetter,
                UnicodeCategory.OtherLetter,
            ]
        ),
        ("Lu", [UnicodeCategory.UppercaseLetter]),
        ("Ll", [UnicodeCategory.LowercaseLetter]),
        ("Lt", [UnicodeCategory.TitlecaseLetter]),
        ("Lm", [UnicodeCategory.ModifierLetter]),
        ("Lo", [UnicodeCategory.OtherLetter]),
        ("M", [UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark]),
        ("Mn", [UnicodeCategory.NonSpacingMark]),
        ("Mc", [UnicodeCategory.SpacingCombiningMark]),
        ("Me", [UnicodeCategory.EnclosingMark]),
        ("N", [UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber, UnicodeCategory.OtherNumber]),
        ("Nd", [UnicodeCategory.DecimalDigitNumber]),
        ("Nl", [UnicodeCategory.LetterNumber]),
        ("No", [UnicodeCategory.OtherNumber]),
        (
            "P",
            [
                UnicodeCategory.ConnectorPunctuation,
                UnicodeCategory.DashPunctuation,
                UnicodeCategory.OpenPunctuation,
                UnicodeCategory.ClosePunctuation,
                UnicodeCategory.InitialQuotePunctuation,
                UnicodeCategory.FinalQuotePunctuation,
                UnicodeCategory.OtherPunctuation,
            ]
        ),
        ("S", [UnicodeCategory.MathSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.ModifierSymbol, UnicodeCategory.OtherSymbol]),
        ("Z", [UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator]),
        ("Zs", [UnicodeCategory.SpaceSeparator]),
    ];

    /// <summary>Letters that fold to one character of another alphabet when case does not matter.</summary>
    private static readonly string[] Ligatures = ["ff", "fi", "fl", "ss", "st"];

    private readonly int[] _pattern;
    private int _at;
    private int _depth;
    private bool _ignoresCase;

    private PatternParser(string pattern) => _pattern = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="FormatException">It holds what is not understood, or is no pattern.</exception>
    public static PatternNode Parse(string pattern)
    {
        if (pattern.Length > MostCharacters)
            throw new FormatException($"more than {MostCharacters} characters");
        var parser = new PatternParser(pattern);
        var node = parser.Choice();
        return parser._at == parser._pattern.Length ? node : throw new FormatException("a ')' that closes nothing");
    }

    private bool IsAt(string text)
    {
        for (int i = 0; i < text.Length; i++)
            if (_at + i >= _pattern.Length || _pattern[_at + i] != text[i])
                return false;
        return true;
    }

    private bool Take(string text)
    {
        if (!IsAt(text))
            return false;
        _at += text.Length;
        return true;
    }

    private int Next() => _at < _pattern.Length ? _pattern[_at++] : throw new FormatException("an end within a group, a set or an escape");

    private PatternNode Choice()
    {
        bool before = _ignoresCase;
        if (++_depth > MostDepth)
            throw new FormatException($"groups nested more than {MostDepth} deep");
        _ignoresCase |= Take("(?i)");
        var parts = new List<PatternNode> { Sequence() };
        while (Take("|"))
            parts.Add(Sequence());
        _depth--;
        _ignoresCase = before;
        return parts.Count == 1 ? parts[0] : new ChoiceNode(parts);
    }

    private SequenceNode Sequence()
    {
        var parts = new List<PatternNode>();
        while (_at < _pattern.Length && !IsAt("|") && !IsAt(")"))
        {
            CheckLigatures();
            parts.Add(Quantified(Atom()));
        }
        return new SequenceNode(parts);
    }

    private void CheckLigatures()
    {
        if (!_ignoresCase || _at + 1 >= _pattern.Length || _pattern[_at] >= 0x80 || _pattern[_at + 1] >= 0x80)
            return;
        string pair = $"{char.ToLowerInvariant((char)_pattern[_at])}{char.ToLowerInvariant((char)_pattern[_at + 1])}";
        if (Ligatures.Contains(pair))
            throw new FormatException($"'{pair}' without case, which stands for a ligature too");
    }

    private PatternNode Atom()
    {
        int c = Next();
        switch (c)
        {
            case '(':
                return Group();
            case '[':
                return new SetNode(Folded(Set()));
            case '.':
                return new SetNode(new CharacterSet(IsNegated: true).AddRange('\n', '\n'));
            case '^':
                return new PlaceNode(TextPlace.LineBegin);
            case '$':
                return new PlaceNode(TextPlace.LineEnd);
            case '\\' when Take("A"):
                return new PlaceNode(TextPlace.TextBegin);
            case '\\' when Take("z"):
                return new PlaceNode(TextPlace.TextEnd);
            case '\\':
                return new SetNode(Folded(Escape()));
            case '*' or '+' or '?':
                throw new FormatException($"a '{(char)c}' that repeats nothing");
            case '{' when Interval() is not null:
                throw new FormatException("a '{' that repeats nothing");
            default:
                return new SetNode(Folded(CharacterSet.Of(c)));
        }
    }

    private CharacterSet Folded(CharacterSet set) =>
        !_ignoresCase ? set : set.WithoutCase() ?? throw new FormatException("(?i) over more than letters of ASCII");

    private PatternNode Group()
    {
        bool before = _ignoresCase;
        string? kind = ((string[])["?:", "?i:", "?=", "?!", "?<=", "?<!"]).FirstOrDefault(Take);
        if (kind is null && IsAt("?"))
            throw new FormatException($"a group of the kind '({Encode(_pattern.Skip(_at).Take(3))}'");
        _ignoresCase |= kind == "?i:";
        var part = Choice();
        _ignoresCase = before;
        if (!Take(")"))
            throw new FormatException("a '(' that is not closed");
        return kind switch
        {
            "?=" or "?!" => new AheadNode(part, kind == "?!"),
            "?<=" or "?<!" => part is SequenceNode { Parts: [SetNode set] }
                ? new BehindNode(set.Set, kind == "?<!")
                : throw new FormatException("a look behind at more than one character"),
            _ => part,
        };
    }

    private PatternNode Quantified(PatternNode node)
    {
        while (Quantifier() is { } times)
        {
            if (node is AheadNode or BehindNode or PlaceNode)
                throw new FormatException("a repeated place or look");
            node = node switch
            {
                SetNode set => new RepeatNode(set.Set, times.Min, times.Max, times.Greed),
                SequenceNode { Parts: [SetNode set] } => new RepeatNode(set.Set, times.Min, times.Max, times.Greed),
                _ => Expanded(node, times.Min, times.Max, times.Greed),
            };
        }
        return node;
    }

    /// <summary>A group that is repeated a few times, written out.</summary>
    private static SequenceNode Expanded(PatternNode node, int min, int max, Greed greed)
    {
        if (greed == Greed.Possessive || max == int.MaxValue || (long)Size(node) * max > MostExpanded)
            throw new FormatException("a group that is repeated without end, or often, or possessively");
        PatternNode optional = new SequenceNode([]);
        for (int i = min; i < max; i++)
        {
            var once = new SequenceNode([node, optional]);
            optional = new ChoiceNode(greed == Greed.Lazy ? [new SequenceNode([]), once] : [once, new SequenceNode([])]);
        }
        return new SequenceNode([.. Enumerable.Repeat(node, min), optional]);
    }

    private static int Size(PatternNode node) =>
        node switch
        {
            SequenceNode sequence => 1 + sequence.Parts.Sum(Size),
            ChoiceNode choice => 1 + choice.Parts.Sum(Size),
            AheadNode ahead => 1 + Size(ahead.Part),
            _ => 1,
        };

    private (int Min, int Max, Greed Greed)? Quantifier()
    {
        int start = _at;
        bool isInterval = IsAt("{");
        var times =
            Take("*") ? (0, int.MaxValue)
            : Take("+") ? (1, int.MaxValue)
            : Take("?") ? (0, 1)
            : Take("{") ? Interval()
            : null;
        if (times is not var (min, max))
        {
            _at = start;
            return null;
        }
        if (isInterval && IsAt("+"))
            throw new FormatException("'{n,m}+', which Oniguruma takes for a repeated repetition");
        if (isInterval && min == max && IsAt("?"))
            throw new FormatException("'{n}?', which Oniguruma takes for an optional repetition");
        return (
            min,
            max,
            Take("?") ? Greed.Lazy
            : Take("+") ? Greed.Possessive
            : Greed.Greedy
        );
    }

    /// <summary>What stands between braces; null where it is no number of times.</summary>
    private (int Min, int Max)? Interval()
    {
        int end = Array.IndexOf(_pattern, '}', _at);
        if (end < 0 || end - _at > 9)
            return null;
        string[] numbers = Encode(_pattern.Skip(_at).Take(end - _at)).Split(',');
        bool Number(string text, int empty, out int value) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) || ((value = empty) >= 0 && text.Length == 0);
        int max = 0;
        if (numbers.Length > 2 || !Number(numbers[0], numbers.Length == 2 ? 0 : -1, out int min))
            return null;
        if (numbers.Length == 2 && (!Number(numbers[1], int.MaxValue, out max) || numbers[0].Length + numbers[1].Length == 0))
            return null;
        max = numbers.Length == 1 ? min : max;
        if (min > max || max == 0)
            throw new FormatException("a repetition of no times");
        _at = end + 1;
        return (min, max);
    }

    /// <summary>A set behind its '['.</summary>
    private CharacterSet Set()
    {
        if (++_depth > MostDepth)
            throw new FormatException($"sets nested more than {MostDepth} deep");
        var set = new CharacterSet(Take("^"));
        for (bool isFirst = true; isFirst || !IsAt("]"); isFirst = false)
        {
            if (IsAt("&&"))
                throw new FormatException("'&&' in a set");
            if (IsAt("[:"))
                throw new FormatException("a class of POSIX in a set");
            if (isFirst && IsAt("]"))
                throw new FormatException("an empty set");
            int c = Next();
            if (c == '[')
            {
                set.Add(Set());
                continue;
            }
            var item = c == '\\' ? Escape() : CharacterSet.Of(c);
            if (IsAt("-") && _at + 1 < _pattern.Length && _pattern[_at + 1] != ']')
            {
                _at++;
                int last = Next();
                if (last == '[')
                    throw new FormatException("a range of sets");
                AddRange(set, item, last == '\\' ? Escape() : CharacterSet.Of(last));
                continue;
            }
            if (item.Single is { } single)
                set.AddRange(single, single);
            else
                set.Add(item);
        }
        _at++;
        _depth--;
        return set;
    }

    private static void AddRange(CharacterSet set, CharacterSet from, CharacterSet to)
    {
        if (from.Single is not { } first || to.Single is not { } last || first > last)
            throw new FormatException("a range in a set whose ends are no characters in order");
        set.AddRange(first, last);
    }

    /// <summary>What stands behind a '\'.</summary>
    private CharacterSet Escape()
    {
        int c = Next();
        return c switch
        {
            's' => CharacterSet.WhiteSpace,
            'S' => new CharacterSet(IsNegated: true).Add(CharacterSet.WhiteSpace),
            'd' => new CharacterSet().AddCategories(UnicodeCategory.DecimalDigitNumber),
            'D' => new CharacterSet(IsNegated: true).AddCategories(UnicodeCategory.DecimalDigitNumber),
            'p' or 'P' => Property(isNegated: c == 'P'),
            'n' => CharacterSet.Of('\n'),
            'r' => CharacterSet.Of('\r'),
            't' => CharacterSet.Of('\t'),
            'f' => CharacterSet.Of('\f'),
            'v' => CharacterSet.Of('\v'),
            'x' => CharacterSet.Of(Hexadecimal(Take("{") ? -1 : 2)),
            'u' => CharacterSet.Of(Hexadecimal(4)),
            _ when c < 0x80 && char.IsAsciiLetterOrDigit((char)c) => throw new FormatException($"'\\{(char)c}'"),
            _ => CharacterSet.Of(c),
        };
    }

    private int Hexadecimal(int digits)
    {
        int end = digits < 0 ? Array.IndexOf(_pattern, '}', _at) : _at + digits;
        if (end < 0 || end > _pattern.Length)
            throw new FormatException("the number of a character that ends too early");
        string text = Encode(_pattern.Skip(_at).Take(end - _at));
        _at = digits < 0 ? end + 1 : end;
        return int.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) && Rune.IsValid(value)
            ? value
            : throw new FormatException($"'{text}' as the number of a character");
    }

    private CharacterSet Property(bool isNegated)
    {
        int end = Take("{") ? Array.IndexOf(_pattern, '}', _at) : -1;
        if (end < 0)
            throw new FormatException("'\\p' without a name in braces");
        string name = Encode(_pattern.Skip(_at).Take(end - _at));
        _at = end + 1;
        if (name.StartsWith('^'))
            (isNegated, name) = (!isNegated, name[1..]);
        var categories = Array
            .Find(Properties, property => string.Equals(property.Name, name, StringComparison.OrdinalIgnoreCase))
            .Categories;
        return categories is null ? throw new FormatException($"'\\p{{{name}}}'") : new CharacterSet(isNegated).AddCategories(categories);
    }

    private static string Encode(IEnumerable<int> characters) => string.Concat(characters.Select(c => new Rune(c).ToString()));
}
