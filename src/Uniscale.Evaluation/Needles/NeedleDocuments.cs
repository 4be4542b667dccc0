using System.Text;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Evaluation.Needles;

/// <summary>
/// Texts with needles, questions and answers to train on, so that a model learns to look back. Their keys are others than those of a
/// test with another seed. A long text with one needle has a handful of tokens that need it; with several, each of which tells the number
/// of another thing and is asked for, it teaches as much more. One of them is always that of the test.
/// </summary>
public sealed class NeedleDocuments
{
    private const int Depths = 101;

    private readonly Haystack _haystack;
    private readonly Tokenizer _tokenizer;
    private readonly CellBuilder _builder;
    private readonly NeedleOptions _options;
    private readonly int _needles;
    private readonly long _seed;

    /// <param name="haystack">The text.</param>
    /// <param name="tokenizer">Counts the tokens; not owned.</param>
    /// <param name="needles">Needles of a text, up to <see cref="MostNeedles"/>.</param>
    /// <param name="seed">Another one than the test's.</param>
    /// <exception cref="UserErrorException">There are not so many things to tell numbers of.</exception>
    public NeedleDocuments(Haystack haystack, Tokenizer tokenizer, int needles, long seed)
    {
        if (needles < 1 || needles > MostNeedles)
            throw new UserErrorException($"--needles is {needles}; give 1 to {MostNeedles}.");
        (_haystack, _tokenizer, _needles, _seed) = (haystack, tokenizer, needles, seed);
        _options = new NeedleOptions
        {
            Lengths = [],
            Depths = Depths,
            Seed = seed,
        };
        _builder = new CellBuilder(haystack, tokenizer, _options);
    }

    /// <summary>Needles that a text may have.</summary>
    public static int MostNeedles => Haystack.Things.Count + 1;

    /// <summary>Makes documents: lengths, depths and texts are drawn by seed and number.</summary>
    /// <param name="shortest">Tokens of a document at least.</param>
    /// <param name="longest">Tokens of a document at most.</param>
    /// <param name="count">Documents.</param>
    /// <exception cref="UserErrorException">The lengths have no room for a text.</exception>
    public IEnumerable<string> Make(int shortest, int longest, int count)
    {
        int least =
            _needles == 1
                ? _builder.ShortestLength
                : Enumerable.Range(0, MostNeedles).Select(thing => Hide(thing, 0).Length).Order().TakeLast(_needles).Sum() + 1;
        if (shortest < least)
            throw new UserErrorException(
                $"Texts of {shortest} tokens are too short for {(_needles == 1 ? "a needle, its question" : $"{_needles} needles, their questions")} and an answer with this tokenizer: begin --lengths with {least} or more."
            );
        return Enumerable
            .Range(0, count)
            .Select(number =>
            {
                int length = shortest + (int)(Draw(number, 0) % (ulong)(longest - shortest + 1));
                return _needles == 1 ? One(length, number) : Several(length, number);
            });
    }

    private string One(int length, int number)
    {
        var cell = _builder.One(length, (int)(Draw(number, 1) % Depths), number);
        return $"{_tokenizer.Decode([.. cell.Prompt.Skip(TextStartOf(cell))])} {cell.Key}.";
    }

    /// <summary>Needles at drawn places, and their questions behind the text in an order of their own.</summary>
    private string Several(int length, int number)
    {
        // The thing of the test is number 0: it is always there.
        int[] things =
        [
            0,
            .. Enumerable.Range(1, MostNeedles - 1).OrderBy(thing => Draw(number, 2, (ulong)thing)).Take(_needles - 1),
        ];
        var needles = things.Select(thing => Hide(thing, Draw(number, 3, (ulong)thing))).ToArray();
        int room = length - needles.Sum(needle => needle.Length);
        int[] text = _haystack.Tokens(room, unchecked((long)Draw(number, 4)));
        var hidden = needles
            .Select(needle => (Place: _builder.Place(text, room, Draw(number, 5, (ulong)needle.Thing) % Depths), needle.Tokens))
            .OrderBy(needle => needle.Place);
        var tokens = new List<int>();
        int taken = 0;
        foreach ((int place, int[] sentence) in hidden)
        {
            tokens.AddRange(text.AsSpan(taken, place - taken));
            tokens.AddRange(sentence);
            taken = place;
        }
        tokens.AddRange(text.AsSpan(taken));
        var document = new StringBuilder(_tokenizer.Decode([.. tokens]));
        foreach (var needle in needles.OrderBy(needle => Draw(number, 6, (ulong)needle.Thing)))
            document.Append(needle.Asked);
        return document.ToString();
    }

    private Needle Hide(int thing, ulong random)
    {
        string key = CellBuilder.Key(random);
        string subject = thing == 0 ? NeedleOptions.Subject : $"the {Haystack.Things[thing - 1]}";
        string Of(string text) => text.Replace(NeedleOptions.Subject, subject, StringComparison.Ordinal);
        int[] tokens = _builder.Hidden(Of(_options.Needle), key);
        string asked = $"{Of(_options.Question)} {key}.";
        return new Needle(thing, tokens, asked, tokens.Length + _tokenizer.Encode(asked).Length);
    }

    private ulong Draw(int number, params ReadOnlySpan<ulong> what) =>
        Mixing.Key([unchecked((ulong)_seed), Mixing.OfName("needle documents"), (ulong)number, .. what]);

    /// <summary>The token before every text is no part of a document: tokenizing puts it there.</summary>
    private int TextStartOf(NeedleCell cell) => Requests.TextStart.Of(_tokenizer) is { } start && cell.Prompt[0] == start ? 1 : 0;

    /// <summary>The number of a thing: the sentence that tells it, question with answer, and the tokens of both together.</summary>
    private sealed record Needle(int Thing, int[] Tokens, string Asked, int Length);
}
