using System.IO.Hashing;
using System.Text;
using Uniscale.Data;

namespace Uniscale.Alignment.Prompts;

/// <summary>
/// Which prompt comes when: a function of the seed and the prompt's number in the run. Sources take turns by weight, and each is shuffled
/// anew when it begins again.
/// </summary>
/// <param name="sources">The sources.</param>
/// <param name="seed">Of the run.</param>
public sealed class PromptOrder(IReadOnlyList<PromptSource> sources, long seed)
{
    private readonly Interleaving _turns = new([.. sources.Select(source => source.Weight)]);

    /// <summary>Digest of the prompts and their order.</summary>
    public string Fingerprint { get; } = Digest(sources, seed);

    /// <summary>Prompt <paramref name="number"/> of the run.</summary>
    public ChatPrompt this[long number]
    {
        get
        {
            var (source, ordinal) = _turns.At(number);
            var prompts = sources[source].Prompts;
            var (pass, place) = Math.DivRem(ordinal, prompts.Count);
            var order = new FeistelPermutation(prompts.Count, Mixing.Key((ulong)seed, Mixing.OfName(sources[source].Name), (ulong)pass));
            return prompts[(int)order[place]];
        }
    }

    private static string Digest(IReadOnlyList<PromptSource> sources, long seed)
    {
        string text = string.Join(
            ' ',
            sources.Select(source => $"{source.Name} {source.Weight:R} {source.Prompts.Count} {source.Fingerprint}")
        );
        return Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes($"prompts {seed} {text}")));
    }
}
