using Uniscale.Alignment.Prompts;
using Uniscale.Configuration;
using Uniscale.Engine.Model;

namespace Uniscale.Alignment.Rollouts;

/// <summary>
/// The text of updates: its loss is the mean of −log π over its tokens, times <c>ppo.ptx</c>, beside a mean over answers; so a token of it
/// weighs ptx · (what the other mean counts) / (tokens of text).
/// </summary>
/// <param name="text">The text; not owned.</param>
/// <param name="configuration">The run.</param>
internal sealed class TextRows(TextStream text, RunConfiguration configuration)
{
    private readonly int _context = configuration.Model.Context;
    private (long Update, long Targets) _counted = (-1, 0);

    /// <summary>Sequences of text in an update.</summary>
    public int Sequences => configuration.Ppo.PtxSequences;

    /// <summary>Reads a row of an update.</summary>
    public void Read(long update, int row, Span<int> tokens, Span<int> documents) =>
        text.Read((update * Sequences) + row, tokens, documents);

    /// <summary>Weights of a row's targets.</summary>
    /// <param name="update">Number of the update.</param>
    /// <param name="row">Which row.</param>
    /// <param name="columns">Receives them.</param>
    /// <param name="count">What the mean of the answers counts.</param>
    public void ReadColumns(long update, int row, Span<double> columns, int count)
    {
        columns.Clear();
        if (_counted.Update != update)
            _counted = (update, Enumerable.Range(0, Sequences).Sum(each => (long)Targets(update, each).Count(isTarget => isTarget)));
        double weight = configuration.Ppo.Ptx * count / Math.Max(1, _counted.Targets);
        var column = columns.Slice((int)RolloutColumn.Text * _context, _context);
        bool[] targets = Targets(update, row);
        for (int i = 0; i < _context; i++)
            column[i] = targets[i] ? weight : 0;
    }

    /// <summary>Places whose next token is of the same document.</summary>
    private bool[] Targets(long update, int row)
    {
        int[] documents = new int[_context + 1];
        Read(update, row, [], documents);
        return [.. Enumerable.Range(0, _context).Select(i => documents[i] == documents[i + 1])];
    }
}
