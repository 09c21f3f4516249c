// Owns the example texts, written for this page: two articles about a port that never was.

const PLAN = `The harbour cranes of Vellmouth

For thirty years the port of Vellmouth bought its cranes wherever they were cheapest, and nobody in the capital thought that the state should have a say in it. Two thirds now come from a single yard abroad, and last spring that yard stopped answering letters about spare parts.

The ministry of transport has drawn up a plan. It will lend the Harrow ironworks half the cost of a new assembly hall, order the first forty cranes itself, and require every public port to buy from the domestic yard until the turn of the decade. A harbour that cannot mend its own cranes, officials say, is not really ours.

The port's tenants want none of it. The scheme wastes public money, distorts prices and shields one yard from competition, their association wrote; private operators who choose their own suppliers and bear their own losses would have newer cranes at half the cost. Government, it concluded, should get out of the crane business.

Vellmouth's harbour was dredged to eleven metres in the autumn. The new channel is marked by green buoys, and pilots report that the turn at the north pier is easier than before.

A second dispute concerns the foreign yard itself. Since it was put on the sanctions list for its ties to a hostile navy, its cranes may no longer be insured, financed or serviced here. Customs officers turned back two shiploads of gear wheels in March, and banks that cleared the payments face fines.

The port regulator has tightened its grip. It will set the tariffs of both terminals itself, license every crane that is bought, and fine operators who fall short of the public plan. Left to themselves, its chairman says, the terminals served their owners and not the ships, and the state must steer them.

Whether the ironworks can deliver is another matter. Its engineers have never built a hoist of this size, and the foreign drawings have been withdrawn. The state laboratory at Orne has been told to design the control system from the beginning, with home-made chips from the pilot line next door, so that no part of the machine depends on a foreign supplier.

To keep the hall at Harrow in work, the public development bank will lend to every ferry company that orders at home, and the navy has been told to bring two tenders forward. No private lender, ministers say, would have waited ten years for a first profit.

Parliament votes in June. The governing parties have the seats to pass the plan, and have added a clause that puts tugs and dredgers under the same public order book, so that the state, and not the market, decides what is built for the ports and where.`;

const AUCTION = `What the auction taught the port

Three years ago the government dropped its rule that ports must buy domestic cranes. This month the last of the state's own cranes were auctioned to private operators, and eleven firms came to bid where officials had expected two.

The lesson is plain: competition works and state purchasing never did. Operators who pay with their own money find better suppliers, bargain harder and walk away. Tariffs at the north terminal have fallen by a fifth since the market was opened.

The government should finish the work of liberalisation. Privatise the remaining berths, abolish the subsidised loans, and let the yard at Harrow compete without protection like any other firm. If its cranes are good they will be bought.

Some rules must stay. Inspectors will keep the power to stop an unsafe hoist, and the competition office has opened an inquiry into the two largest terminals, which share an owner and may be fined.

The harbour museum opens on Sunday. Its oldest exhibit is a hand winch of 1871, which visitors are invited to turn.

What becomes of the laboratory at Orne is open. Its control system works, and three foreign ports have asked for it. Its engineers would like to buy the licence, raise private capital and sell it to whom they please.`;

export const EXAMPLES = [PLAN, AUCTION];
