using System.IO.Hashing;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Alignment.Prompts;

/// <summary>
/// Text that the policy is not to forget, in sequences of its context: sequence k of the run is a function of the seed. Sources take turns
/// by weight, and each is shuffled anew when it begins again.
/// </summary>
public sealed class TextStream : IDisposable
{
    private readonly IReadOnlyList<TokenSource> _sources;
    private readonly Interleaving _turns;
    private readonly int _context;
    private readonly long _seed;

    /// <param name="sections">Sources of plain text.</param>
    /// <param name="configuration">The run.</param>
    /// <param name="vocabulary">Number of token values.</param>
    /// <exception cref="UserErrorException">A source has no whole sequence.</exception>
    public TextStream(IReadOnlyList<SourceSection> sections, RunConfiguration configuration, int vocabulary)
    {
        (_context, _seed) = (configuration.Model.Context, configuration.Train.Seed);
        _sources = [.. sections.Select(section => TokenSource.Open(section, vocabulary))];
        if (_sources.FirstOrDefault(source => WindowsOf(source) == 0) is { } small)
            throw new UserErrorException(
                $"The data source '{small.Name}' has {small.TokenCount} tokens, less than a sequence of {_context}: give it more text."
            );
        _turns = new Interleaving([
            .. sections.Zip(_sources, (section, source) => section.Weight > 0 ? section.Weight : source.TokenCount),
        ]);
        Fingerprint = Convert.ToHexStringLower(
            XxHash128.Hash(
                Encoding.UTF8.GetBytes(
                    string.Join(' ', _sources.Select((source, i) => $"{source.Name} {_turns.Weights[i]:R} {source.Fingerprint}"))
                )
            )
        );
    }

    /// <summary>Digest of the text and its order.</summary>
    public string Fingerprint { get; }

    /// <summary>Reads a sequence of the run, context + 1 tokens, and their documents.</summary>
    public void Read(long number, Span<int> tokens, Span<int> documents)
    {
        var (index, ordinal) = _turns.At(number);
        var source = _sources[index];
        var (pass, place) = Math.DivRem(ordinal, WindowsOf(source));
        long window = new FeistelPermutation(WindowsOf(source), Mixing.Key((ulong)_seed, Mixing.OfName(source.Name), (ulong)pass))[place];
        if (!tokens.IsEmpty)
            source.Read(window * _context, tokens);
        if (!documents.IsEmpty)
            source.ReadDocuments(window * _context, documents, first: 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var source in _sources)
            source.Dispose();
    }

    private long WindowsOf(TokenSource source) => (source.TokenCount - 1) / _context;
}
