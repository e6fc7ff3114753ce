// M/M/1 on ns-3's core: plain scheduled functions. Times are made of whole nanoseconds, as ns-3 keeps them: to convert
// from seconds costs it 128-bit arithmetic. The random numbers are those of rust/dice.rs, so that the engines are
// compared and not their generators.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include "ns3/core-module.h"

using namespace ns3;

namespace
{
class Dice
{
  public:
    explicit Dice(std::uint64_t seed)
        : m_state((seed * 0x9E3779B97F4A7C15ULL) | 1)
    {
    }

    double Exponential(double mean)
    {
        m_state ^= m_state >> 12;
        m_state ^= m_state << 25;
        m_state ^= m_state >> 27;
        const std::uint64_t bits = (m_state * 0x2545F4914F6CDD1DULL) >> 11;
        return -std::log(static_cast<double>(bits + 1) / static_cast<double>(1ULL << 53)) * mean;
    }

  private:
    std::uint64_t m_state;
};

Time Draw(Dice& dice, double mean)
{
    return NanoSeconds(static_cast<std::int64_t>(dice.Exponential(mean) * 1e9));
}

Dice g_gaps(1);
Dice g_services(2);
std::deque<Time> g_waiting;
long g_toCome;
double g_stay = 0;

void Depart();

void Serve()
{
    Simulator::Schedule(Draw(g_services, 1), &Depart);
}

void Arrive()
{
    if (--g_toCome > 0)
    {
        Simulator::Schedule(Draw(g_gaps, 1 / 0.9), &Arrive);
    }
    g_waiting.push_back(Simulator::Now());
    if (g_waiting.size() == 1)
    {
        Serve();
    }
}

void Depart()
{
    g_stay += static_cast<double>((Simulator::Now() - g_waiting.front()).GetNanoSeconds()) * 1e-9;
    g_waiting.pop_front();
    if (!g_waiting.empty())
    {
        Serve();
    }
}
} // namespace

int main(int argc, char** argv)
{
    const long customers = argc > 1 ? std::atol(argv[1]) : 1000;
    const auto from = std::chrono::steady_clock::now();
    g_toCome = customers;
    Simulator::Schedule(Draw(g_gaps, 1 / 0.9), &Arrive);
    Simulator::Run();
    Simulator::Destroy();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - from;
    std::printf("{\"seconds\": %.6f, \"mean_stay\": %.6f}\n", took.count(), g_stay / customers);
    return 0;
}
