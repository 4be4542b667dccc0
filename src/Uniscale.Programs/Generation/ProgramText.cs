using System.Text;

namespace Uniscale.Programs;

/// <summary>Programs and groups of ranks for people.</summary>
public static class ProgramText
{
    /// <summary>A program in lines: a new line with each run of passes; runs over neighbouring blocks or microbatches drawn together
    /// (<c>forward b1..3 m0</c>).</summary>
    public static IEnumerable<string> Lines(StepProgram program)
    {
        var line = new StringBuilder();
        var instructions = program.Instructions;
        for (int i = 0; i < instructions.Count;)
        {
            int end = EndOfRun(instructions, i);
            if (IsPass(instructions[i].Op) && line.Length > 0)
            {
                yield return line.ToString();
                line.Clear();
            }
            if (line.Length > 0)
                line.Append(" · ");
            line.Append(Run(instructions[i], instructions[end - 1]));
            i = end;
        }
        if (line.Length > 0)
            yield return line.ToString();
    }

    /// <summary>World ranks, neighbours at a constant distance drawn together: <c>0, 8 .. 120</c>.</summary>
    public static string Ranks(IReadOnlyList<int> ranks)
    {
        if (ranks.Count <= 4)
            return string.Join(", ", ranks);
        int distance = ranks[1] - ranks[0];
        for (int i = 2; i < ranks.Count; i++)
            if (ranks[i] - ranks[i - 1] != distance)
                return string.Join(", ", ranks);
        return $"{ranks[0]}, {ranks[1]} .. {ranks[^1]}";
    }

    private static bool IsPass(Op op) => op is Op.Forward or Op.Backward or Op.BackwardInput or Op.BackwardWeight;

    private static int EndOfRun(IReadOnlyList<Instruction> instructions, int start)
    {
        var first = instructions[start];
        int blockStep = 0,
            microbatchStep = 0,
            end = start + 1;
        for (; end < instructions.Count; end++)
        {
            var (before, at) = (instructions[end - 1], instructions[end]);
            if (at.Op != first.Op || at.Peer != first.Peer)
                break;
            var (block, microbatch) = (at.Block - before.Block, at.Microbatch - before.Microbatch);
            if (Math.Abs(block) + Math.Abs(microbatch) != 1)
                break;
            if (end > start + 1 && (block, microbatch) != (blockStep, microbatchStep))
                break;
            (blockStep, microbatchStep) = (block, microbatch);
        }
        return end;
    }

    private static string Run(Instruction first, Instruction last)
    {
        var text = new StringBuilder(Instruction.NameOf(first.Op));
        if (first.Block >= 0)
            text.Append(" b").Append(first.Block).Append(first.Block == last.Block ? "" : $"..{last.Block}");
        if (first.Microbatch >= 0)
            text.Append(" m").Append(first.Microbatch).Append(first.Microbatch == last.Microbatch ? "" : $"..{last.Microbatch}");
        if (first.Peer >= 0)
            text.Append(" @").Append(first.Peer);
        return text.ToString();
    }
}
